# SPDX-License-Identifier: PostgreSQL
# `cmake -D FOLDER=... -D OUTPUT=... -P EmbedFiles.cmake`: the files of a folder as the data behind core/web/files.h,
# byte for byte. A folder that is not there has none.
file(GLOB files "${FOLDER}/*")
list(SORT files)
set(text "#include \"web/files.h\"\n\n")
set(entries "")
set(number 0)
foreach(file IN LISTS files)
    get_filename_component(name "${file}" NAME)
    file(READ "${file}" bytes HEX)
    string(REGEX REPLACE "(................................)" "\\1\n    " bytes "${bytes}")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
    string(APPEND text "static const unsigned char file_${number}[] = {\n    ${bytes}};\n")
    string(APPEND entries "    {\"${name}\", file_${number}, sizeof(file_${number})},\n")
    math(EXPR number "${number} + 1")
endforeach()
file(WRITE "${OUTPUT}" "${text}\nconst struct file_data files_data[] = {\n${entries}    {0},\n};\n")
