/*
 * The end of the line for bugs of ours: says where and why, prints a backtrace
 * and aborts. Bad input and bad luck never come here.
 */
#ifndef COMMON_BASE_PANIC_H
#define COMMON_BASE_PANIC_H

/* Reports `what` at `file`:`line` with a backtrace on stderr, then aborts. */
_Noreturn void panic(const char *file, int line, const char *what);

/* Asserts what only a bug can break; on in release, so keep it off hot lines. */
#define ASSERT(condition)                                                                          \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            panic(__FILE__, __LINE__, #condition);                                                 \
    } while (0)

#endif
