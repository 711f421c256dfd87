# SPDX-License-Identifier: PostgreSQL
# Tests, found by name:
#   tests/unit/test_*.c           label unit
#   tests/unit/test_*.py          label unit; of the programs in tools/
#   tests/unit/pg/test_*.c        label unit; linked with tests/support/libpq instead of libpq; what several
#                                 share is in tests/support/pg/
#   tests/integration/test_*.c    label integration; each starts private clusters of its own (tests/support/cluster/cluster.h)
#   tests/security/test_*.c       label integration; each runs hostile scripts, tests/security/*.sql
#   tests/faults/test_*.c         label faults; as integration
#   tests/citus/test_*.c          label citus; only by script/test --citus, on servers that have it
#   plugins/NAME/test_*.c         label plugins; as integration
#   tests/script/test_*.sh        label script; tests of the scripts themselves
#   tests/fixtures/plugins/*.c    broken plugins, built to BUILD/tests/fixtures/plugins/*.so
#   tests/fixtures/stepped_clock.c    for servers of tests/support/cluster/stepped_cluster.c

# Those that take longest on two cores, by their waits or by what the server does: they begin first, so that none is left to run
# alone in the end, and `script/test --quick` leaves them out (label slow).
set(slow_tests
    adopt agent_channels agent_views alerts backfill channels_load cli cli_purge cli_status copies expired failover
    freshness function_set import_across import_extension import_live job_calls keep_view_roles keyed keyed_capture keyed_columns
    keyed_corpus keyed_full keyed_log keyed_proof keyed_property keyed_reasons keyed_statements keyed_values
    keyed_watch large_catalog leadership ledger_day ledger_growth ledger_policies ledger_upgrade listener made modes
    plans plugins_live policies reload retention retention_cold retention_refusals role_sessions role_views roles runs sample
    schedule_sql security seeds seen_faults several sinks sql_jobs sql_roles sql_scale upkeep verify_nightly
    view_forms views_actions views_telemetry views_training waiting)

# A whole run has all tests once: with ASan what is about C, with the dev preset these (label no_asan), which a build with
# sanitizers does not even make. Each stands below the reason why ASan would see nothing new in it.
set(no_asan
    # SQL alone: the functions of schema chime in a server, which knows no sanitizer; no daemon.
    integration/cron_functions integration/cron_guard integration/cron_statements integration/cron_tables
    integration/job_calls integration/job_owners integration/keyed integration/keyed_capture integration/keyed_columns
    integration/keyed_corpus integration/keyed_full integration/keyed_generated integration/keyed_log
    integration/keyed_proof integration/keyed_property integration/keyed_reasons integration/keyed_replication
    integration/keyed_statements integration/keyed_values integration/keyed_watch integration/keyed_writers
    integration/ledger_batches integration/ledger_clock integration/ledger_day integration/ledger_growth
    integration/ledger_oracle integration/ledger_policies integration/modes integration/plans integration/publication
    integration/report_plans integration/sample integration/schedule_sql integration/seed_faults integration/seed_names
    integration/seeds integration/sql_scale security/arguments
    # SQL that the daemon installs and runs by the same C as that of integration/plugins_live, runs and sql_jobs.
    integration/adopt integration/agent_channels integration/agent_partitions integration/agent_views
    integration/backfill integration/channels integration/channels_load integration/cron_deployments
    integration/cron_outcomes integration/freshness integration/job_pings integration/job_settings
    integration/job_upstreams integration/large_catalog integration/retention integration/retention_cold
    integration/retention_refusals integration/retention_restore integration/seen_faults integration/verify_nightly
    integration/views_actions integration/views_telemetry integration/views_training
    # Waits for a pg_cron, whose jobs integration/import and unit/pg_cron read as well; the support of tests.
    integration/cluster integration/import_extension integration/import_live
    # Waits for a lease, a server or a clock; integration/leadership and faults/kill have that C.
    faults/acknowledgement faults/clock faults/clock_ahead faults/failover faults/growth faults/half_open faults/history
    faults/one_clock faults/partition faults/relations faults/server faults/server_down faults/soak faults/stop
    faults/takeover faults/takeover_cut faults/takeover_stop
    # Hours of computing, of what unit/schedule, zones and scheduler compute for some days.
    unit/schedule_count unit/schedule_made_zones unit/schedule_oracle unit/schedule_zones_oracle unit/scheduler_month
    unit/zone_glibc)

# Hundreds of programs are linked, and binutils' other linker takes a third of the time.
find_program(GOLD ld.gold)
if(GOLD AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
    add_link_options(-fuse-ld=gold)
endif()

pkg_check_modules(CHECK REQUIRED IMPORTED_TARGET check)
set(tests_output "${PROJECT_BINARY_DIR}/tests")

file(GLOB support_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/support/*/*.c")
file(GLOB libpq_script CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/support/libpq/*.c")
file(GLOB pg_support CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/support/pg/*.c")
list(REMOVE_ITEM support_sources ${libpq_script} ${pg_support})

# What every test is compiled with; `tests/` is on the include path, so "support/cluster/cluster.h".
add_library(pgchime_test_options INTERFACE)
target_include_directories(pgchime_test_options INTERFACE
    "${PROJECT_SOURCE_DIR}/tests" "${PROJECT_SOURCE_DIR}/core" "${PROJECT_SOURCE_DIR}/include")
target_compile_definitions(pgchime_test_options INTERFACE
    PGCHIME_VERSION="${PROJECT_VERSION}"
    PGCHIME_BINARY="${PROJECT_BINARY_DIR}/pgchime"
    PGCHIME_BUILD_DIR="${PROJECT_BINARY_DIR}"
    PGCHIME_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
target_link_libraries(pgchime_test_options INTERFACE PkgConfig::CHECK pgchime_warnings)

add_library(pgchime_test_support STATIC ${support_sources})
target_link_libraries(pgchime_test_support PUBLIC pgchime_test_options PkgConfig::LIBPQ)

# pgchime_test(FILE LABEL TIMEOUT [LIBRARY...]): an executable BUILD/tests/FOLDER/NAME and the ctest "FOLDER/NAME".
# Sets pgchime_test_target to the target, since two folders may hold tests of one name.
function(pgchime_test file label timeout)
    get_filename_component(name "${file}" NAME_WE)
    get_filename_component(folder "${file}" DIRECTORY)
    file(RELATIVE_PATH folder "${PROJECT_SOURCE_DIR}" "${folder}")
    string(REGEX REPLACE "^tests/" "" folder "${folder}")
    string(REGEX REPLACE "^test_" "" short "${name}")
    set(labels "${label}")
    file(STRINGS "${file}" in_full REGEX "SUITE_IN_FULL")
    if("${folder}/${short}" IN_LIST no_asan)
        if(PGCHIME_SANITIZE)
            return()
        endif()
        list(APPEND labels no_asan)
    elseif(in_full)
        list(APPEND labels in_full)
    endif()
    string(MAKE_C_IDENTIFIER "${folder}_${name}" target)
    add_executable(${target} "${file}")
    target_link_libraries(${target} PRIVATE pgchime_test_options ${ARGN})
    set_target_properties(${target} PROPERTIES
        OUTPUT_NAME "${name}" RUNTIME_OUTPUT_DIRECTORY "${tests_output}/${folder}")
    add_test(NAME "${folder}/${name}" COMMAND ${target} WORKING_DIRECTORY /)
    if(label STREQUAL "integration" AND short IN_LIST slow_tests)
        list(APPEND labels slow)
    endif()
    set_tests_properties("${folder}/${name}" PROPERTIES LABELS "${labels}" TIMEOUT ${timeout})
    if("slow" IN_LIST labels)
        set_tests_properties("${folder}/${name}" PROPERTIES COST 100)
    elseif(NOT label STREQUAL "unit") # the others by their cases
        file(STRINGS "${file}" cases REGEX "tcase_add_(loop_)?test")
        list(LENGTH cases cost)
        set_tests_properties("${folder}/${name}" PROPERTIES COST ${cost})
    endif()
    set(pgchime_test_target ${target} PARENT_SCOPE)
endfunction()

file(GLOB unit_tests CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/unit/test_*.c")
foreach(file IN LISTS unit_tests)
    pgchime_test("${file}" unit 900 pgchime_test_support pgchime_web pgchime_core)
endforeach()

file(GLOB tool_tests CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/unit/test_*.py")
foreach(file IN LISTS tool_tests)
    get_filename_component(name "${file}" NAME_WE)
    add_test(NAME "unit/${name}" COMMAND /usr/bin/python3 -B "${file}" WORKING_DIRECTORY /)
    set_tests_properties("unit/${name}" PROPERTIES LABELS unit TIMEOUT 900)
endforeach()

# The archive is named as a file, so that libpq does not come with it and only the members in use must be satisfied.
file(GLOB pg_tests CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/unit/pg/test_*.c")
if(pg_tests)
    add_library(pgchime_libpq_script OBJECT ${libpq_script}
        "${PROJECT_SOURCE_DIR}/tests/support/process/abort_trap.c" "${PROJECT_SOURCE_DIR}/tests/support/process/suite.c")
    add_library(pgchime_pg_support STATIC ${pg_support} "${PROJECT_SOURCE_DIR}/tests/support/process/instants.c")
    foreach(library pgchime_libpq_script pgchime_pg_support)
        target_include_directories(${library} PRIVATE ${LIBPQ_INCLUDE_DIRS})
        target_link_libraries(${library} PRIVATE pgchime_test_options)
    endforeach()
    foreach(file IN LISTS pg_tests)
        pgchime_test("${file}" unit 900 $<TARGET_OBJECTS:pgchime_libpq_script>
            pgchime_pg_support $<TARGET_FILE:pgchime_core> ${core_libraries})
        target_include_directories(${pgchime_test_target} PRIVATE ${LIBPQ_INCLUDE_DIRS})
        add_dependencies(${pgchime_test_target} pgchime_core)
    endforeach()
endif()

file(GLOB integration_tests CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/integration/test_*.c"
    "${PROJECT_SOURCE_DIR}/tests/security/test_*.c")
foreach(file IN LISTS integration_tests)
    pgchime_test("${file}" integration 1200 pgchime_test_support pgchime_web pgchime_core)
endforeach()

file(GLOB fault_tests CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/faults/test_*.c")
foreach(file IN LISTS fault_tests)
    pgchime_test("${file}" faults 1800 pgchime_test_support pgchime_core)
    get_filename_component(name "${file}" NAME_WE)
    file(STRINGS "${file}" lease REGEX "TAKEOVER_LEASE|SIGSTOP|takeover_cut_and_join|LONGEST_PAUSE")
    if(lease AND TEST "faults/${name}")
        set_tests_properties("faults/${name}" PROPERTIES COST 120) # a minute of waiting
    endif()
endforeach()
# Its limit of two seconds is for a machine that does nothing else.
if(TEST "faults/test_takeover")
    set_tests_properties("faults/test_takeover" PROPERTIES RUN_SERIAL TRUE)
endif()

file(GLOB citus_tests CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/citus/test_*.c")
foreach(file IN LISTS citus_tests)
    pgchime_test("${file}" citus 1800 pgchime_test_support pgchime_core)
endforeach()

file(GLOB plugin_tests CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/plugins/*/test_*.c")
foreach(file IN LISTS plugin_tests)
    pgchime_test("${file}" plugins 1200 pgchime_test_support pgchime_core)
endforeach()

file(GLOB script_tests CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/script/test_*.sh")
if(NOT PGCHIME_SANITIZE) # as those of no_asan
    foreach(file IN LISTS script_tests)
        get_filename_component(name "${file}" NAME_WE)
        add_test(NAME script/${name} COMMAND bash "${file}" WORKING_DIRECTORY /)
        set_tests_properties(script/${name} PROPERTIES LABELS "script;no_asan" TIMEOUT 1200 COST 20)
    endforeach()
    set_tests_properties(script/test_demo script/test_docs script/test_views script/test_web_browser PROPERTIES
        COST 200) # the longest
endif()

# Broken in what they say or do, not in their C. NAME.sql beside one is embedded as a plugin's is.
file(GLOB fixture_plugins CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/fixtures/plugins/*.c")
foreach(file IN LISTS fixture_plugins)
    get_filename_component(name "${file}" NAME_WE)
    pgchime_plugin(fixture_${name} "${file}" "${tests_output}/fixtures/plugins")
    if(EXISTS "${PROJECT_SOURCE_DIR}/tests/fixtures/plugins/${name}.sql")
        pgchime_embed_sql(fixture_${name} "${PROJECT_SOURCE_DIR}/tests/fixtures/plugins/${name}.sql")
    endif()
endforeach()

# Goes into the server, which knows no sanitizer.
add_library(stepped_clock MODULE "${PROJECT_SOURCE_DIR}/tests/fixtures/stepped_clock.c")
target_compile_options(stepped_clock PRIVATE -fno-sanitize=all)
target_link_options(stepped_clock PRIVATE -fno-sanitize=all)
set_target_properties(stepped_clock PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY "${tests_output}/fixtures")
