/*
 * Who may use a cachenode: users and passwords from a file, for SASL PLAIN (-S) and for the
 * text protocol (-Y).
 */
#ifndef CACHENODE_AUTH_H
#define CACHENODE_AUTH_H

#include "common/base/lock.h"
#include "common/bytes/str.h"

enum { AUTH_USERS_MAX = 8, AUTH_LINE_MAX = 255 };

/* A file's lines, `user:password` each. */
struct auth_users {
    unsigned count;
    size_t lens[AUTH_USERS_MAX];
    char lines[AUTH_USERS_MAX][AUTH_LINE_MAX + 1];
};

struct auth {
    const char *path;
    struct lock lock; /* the file is read again while workers check */
    struct auth_users users;
};

/* What is wrong with a file. */
struct auth_fault {
    const char *text; /* static */
    unsigned line;    /* from 1; 0: no line in particular */
};

enum { AUTH_FAULT_MAX = 4096 + 128 };

/* Writes "path:line: text" at `out`, which has AUTH_FAULT_MAX bytes; returns it. */
const char *auth_describe(const struct auth *auth, const struct auth_fault *fault, char *out);

/*
 * Reads the file at `path`, which the caller keeps; NULL: nobody may. False with *fault when it
 * cannot be read or a line is not right; what was read before stays.
 */
bool auth_open(struct auth *auth, const char *path, struct auth_fault *fault);
bool auth_reload(struct auth *auth, struct auth_fault *fault);

/* Whether the user has this password; takes as long for a wrong one as for the right one. */
bool auth_check(struct auth *auth, struct str user, struct str password);

#endif
