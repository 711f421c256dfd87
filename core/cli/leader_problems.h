/* What is amiss with who leads and who follows, though somebody leads: rows of message and way out. */
#ifndef CHIME_CLI_LEADER_PROBLEMS_H
#define CHIME_CLI_LEADER_PROBLEMS_H

#define LEADER_PROBLEMS_SQL                                                                                            \
    "(SELECT format('%s leads, but has not been heard of for %s', s.instance, date_trunc('second', s.heartbeat_age))," \
    "        'the server ends its session after 15 s of silence, and a follower takes over'"                           \
    "   FROM chime.leader_status s WHERE s.alive AND s.heartbeat_age > interval '5 s'"                                 \
    " UNION ALL"                                                                                                       \
    " SELECT format('%s follows with another configuration than %s, who leads', f.name, s.instance),"                  \
    "        'a takeover would change what runs: bring both configurations to the same, then pgchime reload on each'"  \
    "   FROM chime.leader_status s CROSS JOIN LATERAL unnest(s.differing) AS f (name) WHERE s.alive)"

#endif
