-- What each function and table is for, where no comment stands beside its definition: docs/reference.md is made of these
-- (script/reference), and \df+ shows them. Without arguments where the name is unique.

COMMENT ON TABLE chime.change_part IS 'parts of the logs of changes: a log is dropped by the part, once every view has passed it';
COMMENT ON TABLE chime.migration IS 'migrations that were run; the highest number is the version of schema chime';
COMMENT ON TABLE chime.plugin IS 'plugins as this database knows them: version, state (installed, dormant, failed) and the reason';
COMMENT ON TABLE chime.view IS 'views that plugins keep: definition, key, grain, mode, and why one is not refreshed by its groups';
COMMENT ON TABLE chime.view_refresh IS 'the last refresh of each view, and since when something is pending; its row is the lock of refreshes';
COMMENT ON TABLE chime.view_source IS 'which captured tables a view reads, and how their changes lead to its groups';

-- --- runs and leadership, called by the daemon ---------------------------------------------------------------------------
COMMENT ON ROUTINE chime.claim IS 'the leader makes runs live, each for a named session; returns those that were granted';
COMMENT ON ROUTINE chime.reclaim IS 'a further attempt of live runs, for named sessions; returns the jobs granted';
COMMENT ON ROUTINE chime.release IS 'claimed runs whose text never went out wait for a session again';
COMMENT ON ROUTINE chime.finish IS 'the leader moves runs that ended into the history, with state, rows and message';
COMMENT ON ROUTINE chime.finish_own IS 'marks a run as succeeded in the transaction that did its work; raises when the run is not ours';
COMMENT ON ROUTINE chime.retry IS 'an attempt failed and another is to follow: writes the attempt down, and when the next one may begin';
COMMENT ON ROUTINE chime.miss IS 'writes slots that nobody is to run: one row for each stretch and reason of a job';
COMMENT ON ROUTINE chime.perform IS 'runs a transactional job and writes its end down, as one statement';
COMMENT ON ROUTINE chime.perform_refresh IS 'runs a refresh job and writes its end down, as one statement';
COMMENT ON ROUTINE chime.orphans IS 'live runs that no session of this leader works on; ends sessions of earlier leaders';
COMMENT ON ROUTINE chime.cancel_backend IS 'cancels or ends a session, if it is still the one that began then';
COMMENT ON ROUTINE chime.end_silent IS 'ends the session of a leader that has shown no new sign of life';
COMMENT ON ROUTINE chime.resign IS 'gives the seat up; false when the token is not the leader''s any more';
COMMENT ON ROUTINE chime.follow IS 'writes down that an instance follows, with the fingerprint of its configuration';
COMMENT ON ROUTINE chime.listen IS 'LISTEN on the first channels, UNLISTEN on the others';
COMMENT ON ROUTINE chime.note_listener IS 'the session by which the leader hears, before it listens: whoever leads next ends it';
COMMENT ON ROUTINE chime.keep_history IS
    'makes one partition of the history for the days to come, or drops one that is older than what is kept; from where there is more to do, or NULL';
COMMENT ON ROUTINE chime.forget_rows IS 'removes the oldest rows of a table of the history that are older than what is kept';
COMMENT ON ROUTINE chime.forget_leaderships IS 'removes leaderships that ended before any run in the history';
COMMENT ON ROUTINE chime.request_population IS 'asks for a refresh of each view that has never had one; how many jobs';
COMMENT ON ROUTINE chime.refuse_unknown IS 'raises when there is no such job, or it is not active';
COMMENT ON ROUTINE chime.option_interval IS 'a duration among a job''s options; NULL for none';

-- --- plugins and what they install ---------------------------------------------------------------------------------------
COMMENT ON ROUTINE chime.record_plugin IS 'writes down that a plugin is there, with its version, schemas, state and settings';
COMMENT ON ROUTINE chime.retire_plugins IS 'plugins that are not among these are removed: their jobs stop, their data stays';
COMMENT ON ROUTINE chime.missing_sources IS 'which of a plugin''s declared tables and columns are missing, one line each';
COMMENT ON ROUTINE chime.install_schema IS 'makes the schema for views where it is missing, readable by analytics_reader';
COMMENT ON ROUTINE chime.install_view IS 'makes one view as it is declared: its definition, its kept relation, indexes, comment, readers; again, it changes nothing';
COMMENT ON ROUTINE chime.install_plain_view IS 'makes one plain view of a plugin; one that is as it should be is left alone';
COMMENT ON ROUTINE chime.install_function IS 'makes one function of a plugin, executable by analytics_reader unless it is volatile';
COMMENT ON ROUTINE chime.install_channel IS 'makes the trigger and function of one channel of a plugin';
COMMENT ON ROUTINE chime.install_source IS 'makes or widens the log of changes of one table; returns its number';
COMMENT ON ROUTINE chime.install_triggers IS 'makes the triggers that are missing on one relation, in a transaction of its own';
COMMENT ON ROUTINE chime.install_keys IS 'writes down how a view follows its sources; why it cannot be refreshed by its grain, or NULL';
COMMENT ON ROUTINE chime.claim_view IS 'the row of a view for its plugin; raises when the name belongs to another';
COMMENT ON ROUTINE chime.remove_channels IS 'drops a plugin''s channels that are not asked for any more';
COMMENT ON ROUTINE chime.silence_channels IS 'lets channels whose triggers are another owner''s to drop send nothing';
COMMENT ON ROUTINE chime.channel_triggers IS 'triggers of a channel that are there, and whether they are ours to drop';
COMMENT ON ROUTINE chime.define_live IS 'makes RELATION__live, in place where columns were at most added at the end';
COMMENT ON ROUTINE chime.define_function IS 'makes a plugin''s function as its text says, keeping its identity where it can';
COMMENT ON ROUTINE chime.definition_columns IS 'names and types of the columns that a definition gives';
COMMENT ON ROUTINE chime.make_kept IS 'makes an empty kept relation, a table or a materialized view';
COMMENT ON ROUTINE chime.make_plain_view IS 'makes a plain view, with what follows from it';
COMMENT ON ROUTINE chime.dress_kept IS 'indexes, comment and readers of a kept relation, where they differ from what is wanted';
COMMENT ON ROUTINE chime.fill_kept IS 'fills a kept relation from its definition; how many rows';
COMMENT ON ROUTINE chime.remake_kept IS 'makes a kept relation anew aside, and exchanges the two';
COMMENT ON ROUTINE chime.is_outdated IS 'whether a kept relation is of another kind or has other columns than it should';
COMMENT ON ROUTINE chime.kept_of IS 'the kept relation of a view; NULL: there is none';
COMMENT ON ROUTINE chime.live_of IS 'the defining view of a view; NULL: there is none';
COMMENT ON ROUTINE chime.plain_of IS 'the relation of a plain view; NULL: there is none';
COMMENT ON ROUTINE chime.relation_kind IS 'what a relation is, in words';
COMMENT ON ROUTINE chime.routine IS 'the function of a signature; NULL: there is none';
COMMENT ON ROUTINE chime.json_names IS 'a JSON list of names as an array';
COMMENT ON ROUTINE chime.column_list IS 'the columns of a relation, quoted, with commas';
COMMENT ON ROUTINE chime.spare_name IS 'a name like this one that no relation of the schema has';
COMMENT ON ROUTINE chime.refuse_foreign IS 'raises when a relation of that name is there and was not made by pgchime';
COMMENT ON ROUTINE chime.refuse_dependents IS 'raises, and names them, when objects of others need a relation that is to go';

-- --- exchanging relations ------------------------------------------------------------------------------------------------
COMMENT ON ROUTINE chime.set_aside IS 'moves a kept relation out of the way, its names free, when nobody reads it';
COMMENT ON ROUTINE chime.rename_relation IS 'renames, asking for the lock in short turns';
COMMENT ON ROUTINE chime.exchange_turns IS 'how often the lock of an exchange is asked for';
COMMENT ON ROUTINE chime.replaced_kept IS 'how long a replaced relation stays for those who were about to read it';
COMMENT ON ROUTINE chime.replaced_needing IS 'replaced relations that need one of these';
COMMENT ON ROUTINE chime.drop_replaced IS 'drops replaced relations that nobody can want any more';
COMMENT ON ROUTINE chime.copy_comments IS 'comments of columns go along to the new relation';
COMMENT ON ROUTINE chime.copy_indexes IS 'indexes that somebody made go along to the new relation, where they fit';
COMMENT ON ROUTINE chime.copy_privileges IS 'privileges of one relation become those of the other, no more and no less';
COMMENT ON ROUTINE chime.dependents IS 'what would go with a relation, or stands in its way';
COMMENT ON ROUTINE chime.foreign_dependents IS 'dependents that nothing of ours made, in words; NULL: none';
COMMENT ON ROUTINE chime.rebind IS 'what of ours read a relation that was set aside reads the one that has its name now';
COMMENT ON ROUTINE chime.rebinding IS 'the statement that binds a dependent to whatever has the name by then; NULL: it cannot be';
COMMENT ON ROUTINE chime.perform_rebinding IS 'runs such a statement; its failure names the dependent';
COMMENT ON ROUTINE chime.hold_refreshes IS 'keeps refreshes of a view and of its readers out while they are made anew';

-- --- refreshing ----------------------------------------------------------------------------------------------------------
COMMENT ON ROUTINE chime.failure_words IS 'how a refresh fails: how often in a row, since when and of what; NULL: it does not';
COMMENT ON ROUTINE chime.refuse_doubles IS 'the error for two rows with one key, which it names';
COMMENT ON ROUTINE chime.await_refresh IS 'as chime.begin_refresh, where another session has it; CH010 after lock_timeout';
COMMENT ON ROUTINE chime.begin_refresh IS 'locks a view''s refreshes and gives what is known of the last one';
COMMENT ON ROUTINE chime.refresh_all IS 'a refresh that does everything, into a table';
COMMENT ON ROUTINE chime.refresh_matview IS 'a refresh that does everything, into a materialized view';
COMMENT ON ROUTINE chime.refresh_full_statement IS 'the statement of a full refresh';
COMMENT ON ROUTINE chime.refresh_keyed_statement IS 'the statement of a refresh of some groups';
COMMENT ON ROUTINE chime.refresh_words IS 'what a refresh did, in words for the history';
COMMENT ON ROUTINE chime.note_refresh IS 'writes down what a refresh did, and up to where it has seen changes';
COMMENT ON ROUTINE chime.difference_statement IS 'the statement that makes rows equal to others by key, without stamps';
COMMENT ON ROUTINE chime.write_keyed IS 'writes the function that takes the marks of one view and recomputes their groups';
COMMENT ON ROUTINE chime.closed_query IS 'a plugin''s query with every column bound to its relation, so that no function of another''s is called';
COMMENT ON ROUTINE chime.grain_columns IS 'the columns of a view''s grain, with their types';
COMMENT ON ROUTINE chime.grain_matches IS 'conditions by which groups match, one for each way in which columns may be NULL';
COMMENT ON ROUTINE chime.has_grain_index IS 'whether an index of the kept relation begins with the grain';
COMMENT ON ROUTINE chime.unrestricted_scans IS 'tables that would be scanned whole for one group';
COMMENT ON ROUTINE chime.tables_read IS 'the tables that a view reads, through other views too';
COMMENT ON ROUTINE chime.columns_read IS 'the columns that a view reads, through other views too; 0 stands for the relation';
COMMENT ON ROUTINE chime.views_below IS 'the kept views that a view reads, lowest first';
COMMENT ON ROUTINE chime.find_view IS 'the view of a name, with its schema where the relation alone is not unique';
COMMENT ON ROUTINE chime.find_refresh_job IS 'the job of a name, which has to be one that refreshes';
COMMENT ON ROUTINE chime.view_fingerprint IS 'what a view and its sources look like: another one means that everything is done anew';
COMMENT ON ROUTINE chime.fingerprint_reason IS 'which source of a view looks otherwise than at its last refresh';

-- --- capturing changes ---------------------------------------------------------------------------------------------------
COMMENT ON ROUTINE chime.capture_events IS 'the statements whose changes are captured, with the names of their triggers';
COMMENT ON ROUTINE chime.capture_columns IS 'captured columns as a list, each behind a prefix';
COMMENT ON ROUTINE chime.capture_settings IS 'the SET clauses that a source''s trigger function needs';
COMMENT ON ROUTINE chime.captured_values IS 'the expressions that a mark is made of';
COMMENT ON ROUTINE chime.write_capture IS 'writes the trigger function of a source';
COMMENT ON ROUTINE chime.write_guard IS 'makes a function that gives a value back if it has that type, else NULL';
COMMENT ON ROUTINE chime.key_kept IS 'the condition that a row''s captured columns are as they were';
COMMENT ON ROUTINE chime.rest_changed IS 'the condition that a row differs in what is declared beside the captured columns';
COMMENT ON ROUTINE chime.known_rows IS 'a FROM item: rows of a transition table in the types that a trigger knows';
COMMENT ON ROUTINE chime.mark_type IS 'the name of a type, with its schema';
COMMENT ON ROUTINE chime.without_domain IS 'the type below a domain';
COMMENT ON ROUTINE chime.can_be_marked IS 'whether values of a type can tell one mark from another';
COMMENT ON ROUTINE chime.has_equality IS 'whether a type has an equality that hashes or sorts';
COMMENT ON ROUTINE chime.equal_is_same IS 'types of which two equal values are the same bytes';
COMMENT ON ROUTINE chime.comparable_columns IS 'columns in a form that can be compared';
COMMENT ON ROUTINE chime.comparing_cast IS 'the cast that makes a type comparable; empty: it is';
COMMENT ON ROUTINE chime.source_oid IS 'the table of a source; NULL: it is gone';
COMMENT ON ROUTINE chime.source_tree IS 'the relations of a source that need triggers of their own';
COMMENT ON ROUTINE chime.source_columns IS 'columns that a source''s trigger reads: as it knows them, and as they are';
COMMENT ON ROUTINE chime.source_shape IS 'the columns that a source has of those that are read, with their types, as a text';
COMMENT ON ROUTINE chime.source_fingerprint IS 'what a source looks like: columns, triggers, partitions, files';
COMMENT ON ROUTINE chime.source_writers IS 'who may be writing to a source at the moment';
COMMENT ON ROUTINE chime.note_shape IS 'writes down what a source looks like';
COMMENT ON ROUTINE chime.needs_following IS 'whether log and triggers of a source are to be made anew for its columns';
COMMENT ON ROUTINE chime.follow_source IS 'gives log and triggers of a source the types that its columns have now';
COMMENT ON ROUTINE chime.silence_source IS 'a source that no view reads any more leaves no marks';
COMMENT ON ROUTINE chime.triggers_wanted IS 'relations on which triggers are to be made';
COMMENT ON ROUTINE chime.uncaptured IS 'relations of a source on which a trigger is missing, off, or too old';
COMMENT ON ROUTINE chime.uncaptured_sources IS 'sources of a view whose changes are not captured at the moment, in words; NULL: none';
COMMENT ON ROUTINE chime.tend_capture IS 'upkeep of the leader: triggers, logs, parts, replaced relations';
COMMENT ON ROUTINE chime.log_name IS 'the name of a source''s log';
COMMENT ON ROUTINE chime.part_name IS 'the name of a part of a log';
COMMENT ON ROUTINE chime.add_part IS 'begins a part of a log';
COMMENT ON ROUTINE chime.drop_part IS 'drops a part of a log';
COMMENT ON ROUTINE chime.rotate_log IS 'begins a new part where the head is large, and drops parts that every view has passed';
COMMENT ON ROUTINE chime.part_drained IS 'whether all writers to a part are gone';
COMMENT ON ROUTINE chime.part_passed IS 'whether every view has consumed every mark of a part';
COMMENT ON ROUTINE chime.parts_kept IS 'how many parts a view may hold back before it starts over';
COMMENT ON ROUTINE chime.flooded IS 'whether a view has more marks to consume than a refresh by groups is worth';
COMMENT ON ROUTINE chime.take_marks IS 'marks of one log that a snapshot shows';
COMMENT ON ROUTINE chime.snapshot_to_keep IS 'the snapshot of the calling statement, without its own transaction';

-- --- freshness and verification ------------------------------------------------------------------------------------------
COMMENT ON ROUTINE chime.freshness IS 'pending, behind and state of one relation, judged by thresholds';
COMMENT ON ROUTINE chime.view_thresholds IS 'thresholds of each view: the tightest of the jobs that refresh it';
COMMENT ON ROUTINE chime.freshness_by_time IS 'behind and state of what changes as time passes, judged by thresholds that jobs give';
COMMENT ON ROUTINE chime.view_freshness IS 'how far each view is behind, its thresholds, and fresh, warn, stale or unknown';
COMMENT ON ROUTINE chime.views_to_verify IS 'views in the order in which they are verified';
COMMENT ON ROUTINE chime.verify_view IS 'refreshes one view, compares it with its definition, writes down what it found; words when that is not all well';
COMMENT ON ROUTINE chime.comparison_statement IS 'the beginning of a statement that compares what is kept with what is defined';
COMMENT ON ROUTINE chime.record_verification IS 'writes down what a verification found';
COMMENT ON ROUTINE chime.note_unverified IS 'writes down that a view could not be verified, and why';
COMMENT ON ROUTINE chime.repair IS 'a full refresh, and whether it helped: why not, or NULL';
COMMENT ON ROUTINE chime.report_verification IS 'raises when verified views differed, with their names';
COMMENT ON ROUTINE chime.verification_words IS 'what a verification found, in a line';

-- --- adopting ------------------------------------------------------------------------------------------------------------
COMMENT ON ROUTINE chime.foreign_relations IS 'relations with names that a plugin wants and that pgchime did not make';
COMMENT ON ROUTINE chime.adoption_lines IS 'the plan of an adoption, a line for each thing that is done, or in the way';
COMMENT ON ROUTINE chime.rollback_lines IS 'the plan of the way back';
COMMENT ON ROUTINE chime.adoption_kind IS 'what a relation that is to be adopted is, in words; NULL: nothing that can be';
COMMENT ON ROUTINE chime.adoption_dependents IS 'what needs these relations, by themselves or by their row types';
COMMENT ON ROUTINE chime.adopted_relations IS 'what has the names of adopted relations now';
COMMENT ON ROUTINE chime.aside_lines IS 'the plan for one relation, without its dependents';
COMMENT ON ROUTINE chime.aside_obstacles IS 'what makes one relation impossible to set aside';
COMMENT ON ROUTINE chime.column_lines IS 'how the columns of a relation and of what takes its place differ';
COMMENT ON ROUTINE chime.dependent_lines IS 'the plan for what reads these relations';
COMMENT ON ROUTINE chime.writer_lines IS 'triggers and functions that write to or refresh what is to be adopted';
COMMENT ON ROUTINE chime.writing_functions IS 'functions that write to a relation or refresh it, themselves or by others';
COMMENT ON ROUTINE chime.write_pattern IS 'a pattern of texts that write to a relation or refresh it';
COMMENT ON ROUTINE chime.call_pattern IS 'a pattern of texts that call a function';
COMMENT ON ROUTINE chime.plan_digest IS 'a digest of a plan, so that what is done is what was shown';
COMMENT ON ROUTINE chime.refuse_plan IS 'raises when a plan is blocked, or is not the one that was shown';
COMMENT ON ROUTINE chime.refuse_left IS 'raises when something still needs a relation that is left behind';
COMMENT ON ROUTINE chime.making_name IS 'the name under which the successor of a relation is made';
COMMENT ON ROUTINE chime.build_adopted IS 'makes the new kept relation, filled and indexed, where nobody looks';
COMMENT ON ROUTINE chime.place_adopted IS 'gives the new relation its name';
COMMENT ON ROUTINE chime.install_adopted IS 'installs the view whose relation has been placed';
COMMENT ON ROUTINE chime.set_aside_foreign IS 'gives an adopted relation its other name';
COMMENT ON ROUTINE chime.put_back IS 'gives an adopted relation its name back';
COMMENT ON ROUTINE chime.carried_grants IS 'privileges to read of a relation, as they would be granted on another';
COMMENT ON ROUTINE chime.carry_grants IS 'grants these privileges on the new relation';
COMMENT ON ROUTINE chime.relations_to_go IS 'what of a plugin goes when its adopted relations are put back';
COMMENT ON ROUTINE chime.drop_in_order IS 'drops relations in an order in which each may go';
COMMENT ON ROUTINE chime.drop_adopted IS 'drops what a plugin put in the place of adopted relations, and what is noted about it';

-- --- backfilling ---------------------------------------------------------------------------------------------------------
COMMENT ON ROUTINE chime.begin_backfill IS 'begins or resumes a backfill of a view; one at a time';
COMMENT ON ROUTINE chime.backfill_step IS 'one transaction of a backfill: a page of groups listed, a batch done, or the end noted';
COMMENT ON ROUTINE chime.end_backfill IS 'writes the end of a backfill into the history';
COMMENT ON ROUTINE chime.backfill_outlook IS 'what a start would do: how many groups, and whether an earlier one is resumed';
COMMENT ON ROUTINE chime.backfill_shape IS 'what a view looks like: an earlier backfill of another shape is not resumed';
COMMENT ON ROUTINE chime.refuse_backfill IS 'raises when groups of a view cannot be computed by the batch';
COMMENT ON ROUTINE chime.count_groups IS 'how many groups a range has';
COMMENT ON ROUTINE chime.list_groups IS 'writes the next page of groups down; how many';
COMMENT ON ROUTINE chime.perform_batch IS 'recomputes a batch of groups';
COMMENT ON ROUTINE chime.recompute_groups IS 'recomputes the groups listed up to a place';
COMMENT ON ROUTINE chime.grain_groups IS 'a FROM item: groups of the definition and groups that are kept';
COMMENT ON ROUTINE chime.grain_behind IS 'the condition of groups behind a key';
COMMENT ON ROUTINE chime.grain_within IS 'the condition of groups whose time is in a range';
COMMENT ON ROUTINE chime.grain_time IS 'the grain''s column that tells when; NULL: none does';
COMMENT ON ROUTINE chime.batch_rows IS 'the rows of a batch as one query; NULL: the planner would read a whole table for it';
COMMENT ON ROUTINE chime.batch_span IS 'the condition that holds the groups of a batch between its first and its last';
COMMENT ON ROUTINE chime.scanned_whole IS 'tables of which the planner means to read everything for a statement';

-- --- capture: writing the trigger functions ------------------------------------------------------------------------------
COMMENT ON ROUTINE chime.capture_functions IS 'the functions of a source''s triggers: of statements, of each row of an UPDATE, and of an INSERT';
COMMENT ON ROUTINE chime.captured_by_row IS 'whether an UPDATE of a relation is captured row by row: it is not part of a tree';
COMMENT ON ROUTINE chime.write_row_capture IS 'makes the trigger function of each row of an UPDATE';
COMMENT ON ROUTINE chime.write_insert_capture IS 'makes the trigger function of an INSERT';
COMMENT ON ROUTINE chime.can_differ IS 'whether an operator of just that type tells two values apart';
COMMENT ON ROUTINE chime.rest_differs IS 'a condition that is cheap, and never true of a row that did not change in what is declared';
COMMENT ON ROUTINE chime.has_room IS 'the condition under which writers need not look at the size of the log';
COMMENT ON ROUTINE chime.guarded_key IS 'the captured columns of a row, NULL where they have another type than the log''s';
COMMENT ON ROUTINE chime.is_full IS 'the condition under which writers leave out a mark: nobody tends the log, and it is full';
COMMENT ON ROUTINE chime.give_room IS 'until when writers need not look at the size of a source''s log';
COMMENT ON ROUTINE chime.remaking_plugin IS 'the plugin that makes an object again when it is installed the next time; NULL: none does';

-- --- jobs made by SQL: how calls arrive ----------------------------------------------------------------------------------
COMMENT ON VIEW chime.reader IS 'who asks, and whether that role sees the jobs of all';
COMMENT ON ROUTINE chime.name_caller() IS 'writes down who calls: it runs as the caller';
COMMENT ON ROUTINE chime.answer_call() IS 'does what was called for, as the daemon''s role, for the caller that was written down';
COMMENT ON ROUTINE chime.note_job() IS 'a job was made or edited: another version, and the leader is told';
COMMENT ON ROUTINE chime.follow_name() IS 'a job has another key: jobs that come after it name that one';
COMMENT ON ROUTINE chime.begin_job() IS 'gives a new job its state';
COMMENT ON ROUTINE chime.jobs_changed_since IS 'jobs made by SQL that transactions changed which a snapshot does not see';
COMMENT ON ROUTINE chime.is_administrator IS 'whether a role may do to every job what its owner may';
COMMENT ON ROUTINE chime.may_leave_database IS 'whether a role may make jobs that run in another database';
COMMENT ON ROUTINE chime.check_owner IS 'the role that a job is to run as; raises where the caller may not choose it, or it cannot log in';
COMMENT ON ROUTINE chime.check_driven IS 'raises for a job that nothing would ever run';
COMMENT ON ROUTINE chime.find_job IS 'the job that is meant by number or name, if it is the caller''s; raises otherwise';
COMMENT ON ROUTINE chime.find_upstreams IS 'the keys of the jobs that are named in `after`';
COMMENT ON ROUTINE chime.refuse_cycle IS 'raises when a job comes after itself';
COMMENT ON ROUTINE chime.schedule_job IS 'makes a job, or edits the one of that name';
COMMENT ON ROUTINE chime.change_job IS 'edits a job';
COMMENT ON ROUTINE chime.unschedule_job IS 'takes a job away; its history stays';
COMMENT ON ROUTINE chime.note_request IS 'writes down whose job a request is of';
COMMENT ON ROUTINE chime.request_run IS 'asks for a run of a job now; its slot';
COMMENT ON ROUTINE chime.cancel_own_run IS 'asks for the end of a live run of the caller''s';
COMMENT ON ROUTINE chime.run_now(text) IS 'asks for a run of the job of that name now; its slot';
COMMENT ON ROUTINE chime.unschedule(text, boolean) IS 'takes the job of that name away; stop: its run is ended too';

-- --- jobs made by SQL: options and schedules -----------------------------------------------------------------------------
COMMENT ON ROUTINE chime.utf8_fault IS 'why a text cannot be read as UTF8; NULL: it can';
COMMENT ON ROUTINE chime.read_keep IS 'how long runs are kept, as a call says it';
COMMENT ON ROUTINE chime.texts IS 'a JSON list of texts as an array';
COMMENT ON ROUTINE chime.option_rule IS 'what an option of a job takes: its kind, range or words';
COMMENT ON ROUTINE chime.option_takes IS 'the same in words, for hints';
COMMENT ON ROUTINE chime.option_valid IS 'whether an option takes a value';
COMMENT ON ROUTINE chime.flat_options IS 'options as the daemon reads them: one level of names, every value a text';
COMMENT ON ROUTINE chime.read_options IS 'checks options and returns them flat; raises at the first that is not right';
COMMENT ON ROUTINE chime.read_settings IS 'checks settings of a job''s session; raises at the first that is not right';
COMMENT ON ROUTINE chime.read_job_options IS 'options and settings of a call, checked, with what the caller may not ask for refused';
COMMENT ON ROUTINE chime.new_options IS 'options of a job after an edit: options and settings each stay or are replaced as a whole';
COMMENT ON ROUTINE chime.schedule_valid IS 'whether a schedule would be taken';
COMMENT ON ROUTINE chime.schedule_fields_problem IS 'what is wrong with the fields of a schedule; NULL: nothing';
COMMENT ON ROUTINE chime.schedule_field_problem IS 'what is wrong with one field; NULL: nothing';
COMMENT ON ROUTINE chime.schedule_word_problem IS 'what is wrong with a form that begins with @; NULL: nothing';
COMMENT ON ROUTINE chime.schedule_time_problem IS 'what is wrong with the time of a schedule of one slot; NULL: nothing';
COMMENT ON ROUTINE chime.schedule_never_problem IS 'whether days and months can never meet, as 30 February; NULL: they can';
COMMENT ON ROUTINE chime.schedule_longest_month IS 'days of the longest of these months: 29, 30 or 31';
COMMENT ON ROUTINE chime.schedule_pieces IS 'a schedule cut at its blanks';
COMMENT ON ROUTINE chime.schedule_ranges IS 'the ranges of a field that is right';
COMMENT ON ROUTINE chime.schedule_word IS 'the number of the name of a month or weekday';

-- --- import from pg_cron -------------------------------------------------------------------------------------------------
COMMENT ON ROUTINE chime.this_source IS 'what chime.imported calls this server and database';
COMMENT ON ROUTINE chime.begin_import IS 'writes down that a job is being taken, from which instant on';
COMMENT ON ROUTINE chime.forget_import IS 'it was not taken after all: pg_cron has it';
COMMENT ON ROUTINE chime.make_imported IS 'makes our job of one that was taken';
COMMENT ON ROUTINE chime.import_problem IS 'why it could not be made; NULL: it could';
COMMENT ON ROUTINE chime.import_is_running IS 'whether a run of that job of ours is live';
COMMENT ON ROUTINE chime.begin_return IS 'gives a job back: ours is switched off; false while a run of it goes on';
COMMENT ON ROUTINE chime.finish_return IS 'pg_cron has it again';
