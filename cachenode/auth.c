#include <stdio.h>

#include "cachenode/auth.h"
#include "cachenode/locks.h"

/* Keeps `user:password` of user[@host]:password. */
static void add_user(struct auth_users *users, struct str line)
{
    char *to = users->lines[users->count];
    const char *colon = memchr(line.data, ':', line.len);
    size_t user_len = (size_t)(colon - line.data);
    const char *at = memchr(line.data, '@', user_len);
    size_t kept_len = at != NULL ? (size_t)(at - line.data) : user_len;

    memcpy(to, line.data, kept_len);
    memcpy(to + kept_len, colon, line.len - user_len);
    users->lens[users->count++] = kept_len + line.len - user_len;
}

/* NULL, or what is wrong with the line. */
static const char *read_line(struct auth_users *users, struct str line)
{
    if (line.len > AUTH_LINE_MAX)
        return "a line is longer than 255 bytes";
    if (memchr(line.data, ':', line.len) == NULL)
        return "a line is not user:password";
    if (users->count == AUTH_USERS_MAX)
        return "more than 8 users";
    add_user(users, line);
    return NULL;
}

static bool read_users(FILE *file, struct auth_users *users, struct auth_fault *fault)
{
    char line[AUTH_LINE_MAX + 3];

    while (fgets(line, sizeof(line), file) != NULL) {
        fault->line++;
        fault->text = read_line(users, (struct str){line, strcspn(line, "\r\n")});
        if (fault->text != NULL)
            return false;
    }
    *fault = (struct auth_fault){.text = "it has no user"};
    return users->count != 0;
}

const char *auth_describe(const struct auth *auth, const struct auth_fault *fault, char *out)
{
    if (fault->line != 0)
        snprintf(out, AUTH_FAULT_MAX, "%.4096s:%u: %s", auth->path, fault->line, fault->text);
    else
        snprintf(out, AUTH_FAULT_MAX, "%.4096s: %s", auth->path, fault->text);
    return out;
}

bool auth_reload(struct auth *auth, struct auth_fault *fault)
{
    struct auth_users users = {0};
    FILE *file;
    bool is_good;

    if (auth->path == NULL)
        return true;
    file = fopen(auth->path, "re");
    *fault = (struct auth_fault){.text = "it cannot be opened"};
    if (file == NULL)
        return false;
    is_good = read_users(file, &users, fault);
    fclose(file);
    if (is_good) {
        lock_take(&auth->lock);
        auth->users = users;
        lock_give(&auth->lock);
    }
    return is_good;
}

bool auth_open(struct auth *auth, const char *path, struct auth_fault *fault)
{
    *auth = (struct auth){.path = path};
    lock_init(&auth->lock, LOCK_auth);
    return auth_reload(auth, fault);
}

/* Compares all bytes, whatever the first ones are. */
static bool is_same(const char *a, struct str b)
{
    unsigned char difference = 0;

    for (size_t i = 0; i < b.len; i++)
        difference = (unsigned char)(difference | (a[i] ^ b.data[i]));
    return difference == 0;
}

bool auth_check(struct auth *auth, struct str user, struct str password)
{
    char asked[AUTH_LINE_MAX + 1] = {0};
    size_t len = user.len + 1 + password.len;
    bool is_known = false;

    if (len > AUTH_LINE_MAX || memchr(user.data, ':', user.len) != NULL)
        return false;
    memcpy(asked, user.data, user.len);
    asked[user.len] = ':';
    memcpy(asked + user.len + 1, password.data, password.len);
    lock_take(&auth->lock);
    for (unsigned i = 0; i < auth->users.count; i++)
        is_known |= is_same(auth->users.lines[i], (struct str){asked, sizeof(asked)}) &
                    (auth->users.lens[i] == len);
    lock_give(&auth->lock);
    return is_known;
}
