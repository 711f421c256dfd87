#include "support/keyed_stage.h"

void keyed_stage_set(void)
{
    cluster = keyed_create();
}
