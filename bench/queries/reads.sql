-- SPDX-License-Identifier: PostgreSQL
-- What script/bench reads times. After "-- read NAME": as an application reads it, for pgbench. After "-- raw NAME":
-- the same off the sources, for psql: the view's definition, `__live`, as far as it is asked for (seed 002's bad way
-- for lanes, but for its failing on malformed scores), or seed 004's aggregate over requests. What says nothing about
-- sources has none. :n is a number from 0 to 19: the busiest challenges and agents. :agent, :challenge are the busiest
-- pair of them.

-- read lane_distributions
SELECT *, count(*) OVER () AS seen FROM lane_distributions(md5('challenge ' || :n)::uuid)
-- raw lane_distributions
SELECT * FROM mv_lane_score_distribution__live WHERE challenge_id = md5('challenge ' || :n)::uuid AND sample_count >= 5

-- read weakness_patterns
SELECT *, count(*) OVER () AS seen FROM weakness_patterns(md5('agent ' || :n)::uuid)
-- raw weakness_patterns
SELECT * FROM mv_weakness_patterns__live WHERE agent_id = md5('agent ' || :n)::uuid
    AND performance_category IN ('persistent_weakness', 'below_median') ORDER BY avg_score LIMIT 20

-- read agent_progress
SELECT *, count(*) OVER () AS seen FROM agent_progress(:agent, :challenge)
-- raw agent_progress
SELECT * FROM mv_agent_progress__live WHERE agent_id = :agent AND challenge_id = :challenge ORDER BY week DESC LIMIT 12

-- read time_to_first_win
SELECT *, count(*) OVER () AS seen FROM time_to_first_win()
-- raw time_to_first_win
TABLE mv_time_to_first_win__live

-- read telemetry_domains
SELECT *, count(*) OVER () AS seen FROM telemetry_domains()
-- raw telemetry_domains
TABLE chat_telemetry_domain_summary__live

-- read telemetry_models
SELECT *, count(*) OVER () AS seen FROM telemetry_models()
-- raw telemetry_models
TABLE chat_telemetry_model_summary__live

-- read telemetry_trend
SELECT *, count(*) OVER () AS seen FROM telemetry_trend()
-- raw telemetry_trend
SELECT date_trunc('hour', created_at), count(*), count(*) FILTER (WHERE success), sum(cost_usd), sum(input_tokens),
    sum(output_tokens), avg(duration_ms), avg(search_count), avg(iteration_count)
FROM chat_telemetry WHERE created_at > now() - interval '7 days' GROUP BY 1 ORDER BY 1

-- read agent_performance
SELECT *, count(*) OVER () AS seen FROM agent_performance()
-- raw agent_performance
TABLE mv_realtime_agent_performance__live

-- read realtime_pipeline_health
SELECT *, count(*) OVER () AS seen FROM realtime_pipeline_health()
-- raw realtime_pipeline_health
SELECT now() - max(last_updated_at) > interval '1 minute' FROM mv_realtime_agent_performance__live

-- read realtime_event_counts
SELECT *, count(*) OVER () AS seen FROM realtime_event_counts()
-- raw realtime_event_counts
SELECT count(*), (SELECT sum(queries_last_5min) FROM mv_realtime_agent_performance__live)
FROM agent_queries WHERE created_at > now() - interval '5 minutes'

-- read realtime_refresh_lag
SELECT *, count(*) OVER () AS seen FROM realtime_refresh_lag()
-- raw realtime_refresh_lag
SELECT now() - refreshed_at FROM mv_realtime_agent_performance__live LIMIT 1

-- read agent_query_quality
SELECT *, count(*) OVER () AS seen FROM agent_query_quality()
-- raw agent_query_quality
TABLE mv_agent_query_quality__live

-- read agent_trends
SELECT *, count(*) OVER () AS seen FROM agent_trends('support', 'week', 12)
-- raw agent_trends
SELECT date_trunc('week', day), sum(query_count), sum(total_latency_ms) / sum(latency_count)
FROM mv_agent_daily_trends__live WHERE agent = 'support' GROUP BY 1 ORDER BY 1 DESC LIMIT 12

-- read agent_leaderboard
SELECT *, count(*) OVER () AS seen FROM agent_leaderboard()
-- raw agent_leaderboard
SELECT * FROM mv_query_performance_live__live ORDER BY avg_latency_ms

-- read approval_queue_status
SELECT *, count(*) OVER () AS seen FROM approval_queue_status()
-- raw approval_queue_status
TABLE mv_agent_queue_realtime__live

-- read approval_queue_ages
SELECT *, count(*) OVER () AS seen FROM approval_queue_ages()
-- raw approval_queue_ages
TABLE mv_approval_queue_summary__live

-- read hourly_approval_rates
SELECT *, count(*) OVER () AS seen FROM hourly_approval_rates()
-- raw hourly_approval_rates
SELECT * FROM mv_agent_accuracy_rolling__live ORDER BY window_start

-- read agent_approval_quality
SELECT *, count(*) OVER () AS seen FROM agent_approval_quality()
-- raw agent_approval_quality
TABLE mv_agent_approval_quality__live

-- read training_data_quality
SELECT *, count(*) OVER () AS seen FROM training_data_quality()
-- raw training_data_quality
SELECT * FROM mv_training_quality_snapshot__live WHERE source = 'AgentFeedback'

-- read training_quality
SELECT *, count(*) OVER () AS seen FROM training_quality()
-- raw training_quality
TABLE mv_training_quality_snapshot__live

-- read annotator_activity
SELECT *, count(*) OVER () AS seen FROM annotator_activity()
-- raw annotator_activity
SELECT * FROM mv_annotator_activity__live ORDER BY annotations_7d DESC LIMIT 20

-- read agent_feedback_quality
SELECT *, count(*) OVER () AS seen FROM agent_feedback_quality()
-- raw agent_feedback_quality
TABLE mv_agent_feedback_quality__live

-- read action_metrics
SELECT *, count(*) OVER () AS seen FROM action_metrics()
-- raw action_metrics
SELECT * FROM action_metrics_hourly__live WHERE hour > now() - interval '24 hours' ORDER BY hour

-- read action_success_rates
SELECT *, count(*) OVER () AS seen FROM action_success_rates(now() - interval '7 days')
-- raw action_success_rates
SELECT action_type, count(*), count(*) FILTER (WHERE status = 'success'), avg(duration_ms)
FROM action_results WHERE executed_at > now() - interval '7 days' GROUP BY 1

-- read trigger_performance
SELECT *, count(*) OVER () AS seen FROM trigger_performance()
-- raw trigger_performance
SELECT * FROM trigger_performance_summary__live ORDER BY avg_duration_ms DESC NULLS LAST LIMIT 20

-- read action_failures
SELECT *, count(*) OVER () AS seen FROM action_failures()
-- raw action_failures
SELECT * FROM recent_failures__live ORDER BY executed_at DESC LIMIT 20

-- read action_types
SELECT *, count(*) OVER () AS seen FROM action_types()
-- raw action_types
TABLE action_type_distribution__live

-- read get_analytics_refresh_status
SELECT *, count(*) OVER () AS seen FROM get_analytics_refresh_status()
-- raw get_analytics_refresh_status
SELECT (SELECT count(*) FROM action_metrics_hourly__live), (SELECT count(*) FROM trigger_performance_summary__live),
    (SELECT count(*) FROM recent_failures__live), (SELECT count(*) FROM action_type_distribution__live)

-- read get_analytics_index_usage
SELECT *, count(*) OVER () AS seen FROM get_analytics_index_usage()
