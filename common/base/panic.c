#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/panic.h"

_Noreturn void panic(const char *file, int line, const char *what)
{
    void *frames[64];

    fprintf(stderr, "%s:%d: bug: %s\n", file, line, what);
    backtrace_symbols_fd(frames, backtrace(frames, 64), STDERR_FILENO);
    abort();
}
