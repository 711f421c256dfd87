/* Values as the ledger's own functions answer them. What is not well-formed ends the process: the schema is then not the
 * one this program was built for. */
#ifndef CHIME_LEDGER_ANSWERS_H
#define CHIME_LEDGER_ANSWERS_H

#include "base/instant.h"
#include "model/run.h"

instant answer_instant(const char *text); /* INSTANT_NONE for NULL */
enum run_kind answer_kind(const char *text);

#endif
