# SPDX-License-Identifier: PostgreSQL
# SQL inside C: the same .sql file runs in psql as it is and is compiled into a plugin or the daemon.
#
#   pgchime_embed_sql(TARGET orders.sql)
#
# makes orders.sql.h at build time and puts it on TARGET's include path. The text between the lines
#
#   -- chime:begin NAME
#   -- chime:end
#
# becomes `static const char sql_NAME[] = "...";`; a file without such lines becomes one constant, sql_FILE (its name
# without ".sql"). Text is carried over byte for byte, but for CR LF, which becomes LF. A file may hold any number of
# sections, not nested and each with a name of its own.
#
# The file is its own worker: `cmake -D INPUT=... -D OUTPUT=... -P EmbedSql.cmake`. Nothing but CMake is needed.
# Text is never treated as a CMake list, since semicolons and square brackets would not survive that.

function(pgchime_embed_sql target file)
    get_filename_component(input "${file}" ABSOLUTE)
    get_filename_component(name "${file}" NAME)
    set(directory "${CMAKE_CURRENT_BINARY_DIR}/embedded/${target}")
    add_custom_command(
        OUTPUT "${directory}/${name}.h"
        COMMAND "${CMAKE_COMMAND}" -D "INPUT=${input}" -D "OUTPUT=${directory}/${name}.h" -P
                "${CMAKE_CURRENT_FUNCTION_LIST_FILE}"
        DEPENDS "${input}" "${CMAKE_CURRENT_FUNCTION_LIST_FILE}"
        COMMENT "Embedding ${name}"
        VERBATIM)
    target_sources(${target} PRIVATE "${directory}/${name}.h")
    target_include_directories(${target} PRIVATE "${directory}")
endfunction()

# Makes `output`, the data behind core/ledger/embedded.h, of `folder`/schema/NNNN_name.sql in order of their numbers and
# of `folder`/functions/NAME.sql in the order of `folder`/functions/order.
function(pgchime_embed_schema folder output)
    file(GLOB files CONFIGURE_DEPENDS "${folder}/schema/*.sql" "${folder}/functions/*.sql")
    add_custom_command(
        OUTPUT "${output}"
        COMMAND "${CMAKE_COMMAND}" -D "SCHEMA=${folder}" -D "OUTPUT=${output}" -P
                "${CMAKE_CURRENT_FUNCTION_LIST_FILE}"
        DEPENDS ${files} "${folder}/functions/order" "${CMAKE_CURRENT_FUNCTION_LIST_FILE}"
        COMMENT "Embedding the SQL of schema chime"
        VERBATIM)
endfunction()

# Sets `result` to C string literals, one for each line of `text`. "?" is escaped for the sake of trigraphs.
function(pgchime_c_literal text result)
    string(REPLACE "\\" "\\\\" text "${text}")
    string(REPLACE "\"" "\\\"" text "${text}")
    string(REPLACE "?" "\\?" text "${text}")
    string(REPLACE "\r" "\\r" text "${text}")
    string(REPLACE "\t" "\\t" text "${text}")
    string(REPLACE "\n" "\\n\"\n    \"" text "${text}")
    set(${result} "    \"${text}\"" PARENT_SCOPE)
endfunction()

set(pgchime_generated_head [[
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverlength-strings"
#endif
]])
set(pgchime_generated_foot [[
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif
]])

function(pgchime_constant name text result)
    pgchime_c_literal("${text}" literal)
    set(${result} "static const char sql_${name}[] =\n${literal};\n" PARENT_SCOPE)
endfunction()

# One line at a time: `section` is the open section's name, `body` its text so far.
function(pgchime_embed_file input output)
    get_filename_component(file_name "${input}" NAME)
    get_filename_component(base "${input}" NAME_WLE)
    file(READ "${input}" text)
    set(rest "${text}")
    set(constants "")
    set(seen " ")
    set(section "")
    set(number 0)
    string(LENGTH "${rest}" left)
    while(left GREATER 0)
        math(EXPR number "${number} + 1")
        string(FIND "${rest}" "\n" end)
        if(end EQUAL -1)
            set(line "${rest}\n")
            set(rest "")
        else()
            math(EXPR end "${end} + 1")
            string(SUBSTRING "${rest}" 0 ${end} line)
            string(SUBSTRING "${rest}" ${end} -1 rest)
        endif()
        string(LENGTH "${rest}" left)
        if(NOT line MATCHES "^[ \t]*-- *chime:")
            string(APPEND body "${line}")
        elseif(line MATCHES "^-- chime:begin ([a-z_][a-z0-9_]*)[ \t\r]*\n$" AND section STREQUAL "")
            set(section "${CMAKE_MATCH_1}")
            set(body "")
            string(FIND "${seen}" " ${section} " before)
            if(NOT before EQUAL -1)
                message(FATAL_ERROR "${input}:${number}: section \"${section}\" is there twice")
            endif()
            string(APPEND seen "${section} ")
        elseif(line MATCHES "^-- chime:end[ \t\r]*\n$" AND NOT section STREQUAL "")
            pgchime_constant("${section}" "${body}" constant)
            string(APPEND constants "${constant}\n")
            set(section "")
        else()
            message(FATAL_ERROR "${input}:${number}: expected \"-- chime:begin NAME\" (a-z 0-9 _), then "
                                "\"-- chime:end\", each alone on its line and not nested")
        endif()
    endwhile()
    if(NOT section STREQUAL "")
        message(FATAL_ERROR "${input}:${number}: section \"${section}\" has no \"-- chime:end\"")
    endif()
    if(seen STREQUAL " ")
        string(MAKE_C_IDENTIFIER "${base}" name)
        pgchime_constant("${name}" "${text}" constant)
        set(constants "${constant}\n")
    endif()
    string(MAKE_C_IDENTIFIER "CHIME_EMBEDDED_${file_name}" guard)
    string(TOUPPER "${guard}" guard)
    file(WRITE "${output}"
         "/* Made from ${file_name} by EmbedSql.cmake: edit that file instead. */\n"
         "#ifndef ${guard}_H\n#define ${guard}_H\n${pgchime_generated_head}\n"
         "${constants}${pgchime_generated_foot}#endif\n")
endfunction()

# What is to be remade is told from what stays (docs/adr/0029): a file of one folder has nothing of the other's.
function(pgchime_refuse_statement file text statement where)
    string(REGEX MATCH "(^|\n)CREATE (OR REPLACE )?(${statement}) " found "${text}")
    if(found)
        string(STRIP "${found}" found)
        message(FATAL_ERROR "${file}: ${found} belongs in ${where}")
    endif()
endfunction()

function(pgchime_row number name text result)
    pgchime_c_literal("${text}" literal)
    set(${result} "    {${number}, \"${name}\",\n${literal}},\n" PARENT_SCOPE)
endfunction()

function(pgchime_schema_rows folder result)
    file(GLOB files "${folder}/*.sql")
    set(rows "")
    set(previous 0)
    list(SORT files COMPARE NATURAL)
    foreach(file IN LISTS files)
        get_filename_component(name "${file}" NAME_WLE)
        if(NOT name MATCHES "^([0-9][0-9][0-9][0-9])_([a-z0-9_]+)$")
            message(FATAL_ERROR "${file}: a file of the schema is named NNNN_name.sql")
        endif()
        set(digits "${CMAKE_MATCH_1}")
        set(title "${CMAKE_MATCH_2}")
        string(REGEX REPLACE "^0+" "" number "${digits}")
        if(NOT number GREATER previous)
            message(FATAL_ERROR "${file}: number ${digits} is there twice, or is 0000")
        endif()
        set(previous ${number})
        file(READ "${file}" text)
        pgchime_refuse_statement("${file}" "${text}" "FUNCTION|PROCEDURE|VIEW|TRIGGER" "sql/functions")
        pgchime_row(${number} "${title}" "${text}" row)
        string(APPEND rows "${row}")
    endforeach()
    set(${result} "${rows}" PARENT_SCOPE)
endfunction()

function(pgchime_function_rows folder result checksum_result)
    file(STRINGS "${folder}/order" names REGEX "^[^#]")
    file(GLOB files RELATIVE "${folder}" "${folder}/*.sql")
    set(rows "")
    set(sums "")
    foreach(name IN LISTS names)
        list(FIND files "${name}.sql" at)
        if(at EQUAL -1)
            message(FATAL_ERROR "${folder}/order: ${name}: there is no ${name}.sql, or it is named twice")
        endif()
        list(REMOVE_ITEM files "${name}.sql")
        file(READ "${folder}/${name}.sql" text)
        pgchime_refuse_statement("${folder}/${name}.sql" "${text}" "TABLE|TYPE|SEQUENCE|INDEX|UNIQUE INDEX|POLICY"
                                 "sql/schema")
        string(SHA256 sum "${text}")
        string(APPEND sums "${name} ${sum}\n")
        pgchime_row(0 "${name}" "${text}" row)
        string(APPEND rows "${row}")
    endforeach()
    if(files)
        message(FATAL_ERROR "${folder}/order does not name: ${files}")
    endif()
    string(SHA256 checksum "${sums}")
    set(${result} "${rows}" PARENT_SCOPE)
    set(${checksum_result} "${checksum}" PARENT_SCOPE)
endfunction()

function(pgchime_embed_folders folder output)
    pgchime_schema_rows("${folder}/schema" schema)
    pgchime_function_rows("${folder}/functions" functions checksum)
    file(WRITE "${output}"
         "/* Made from sql/schema and sql/functions by EmbedSql.cmake: edit those files instead. */\n"
         "#include \"ledger/embedded.h\"\n\n${pgchime_generated_head}\n"
         "const struct embedded_sql embedded_schema[] = {\n${schema}    {0, NULL, NULL},\n};\n"
         "const struct embedded_sql embedded_functions[] = {\n${functions}    {0, NULL, NULL},\n};\n"
         "const char embedded_checksum[] = \"${checksum}\";\n${pgchime_generated_foot}")
endfunction()

if(CMAKE_SCRIPT_MODE_FILE AND CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
    if(DEFINED SCHEMA)
        pgchime_embed_folders("${SCHEMA}" "${OUTPUT}")
    else()
        pgchime_embed_file("${INPUT}" "${OUTPUT}")
    endif()
endif()
