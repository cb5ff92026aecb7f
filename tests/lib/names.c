/*
 * Stands before getaddrinfo in a program under test: names that end in .test are looked up in
 * the file that $NAMES names, which has lines "name address..." and is read at each look-up.
 * "name silent SECONDS" answers after that long that it failed. What is not in it fails.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int lookup(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static int add(lookup *real, const char *address, const char *service,
               const struct addrinfo *hints, struct addrinfo ***end)
{
    int failure = real(address, service, hints, *end);

    while (failure == 0 && **end != NULL)
        *end = &(**end)->ai_next;
    return failure;
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    lookup *real = (lookup *)dlsym(RTLD_NEXT, "getaddrinfo");
    size_t len = host ? strlen(host) : 0;
    struct addrinfo **end = found;
    char line[1024];
    int failure = EAI_NONAME;
    FILE *names;

    if (len < 5 || strcmp(host + len - 5, ".test") != 0)
        return real(host, service, hints, found);
    names = fopen(getenv("NAMES"), "r");
    *found = NULL;
    while (names != NULL && fgets(line, sizeof(line), names) != NULL) {
        char *rest = line, *word = strtok_r(rest, " \n", &rest);

        if (word == NULL || strcmp(word, host) != 0)
            continue;
        while ((word = strtok_r(NULL, " \n", &rest)) != NULL) {
            if (strcmp(word, "silent") == 0) {
                word = strtok_r(NULL, " \n", &rest);
                usleep((useconds_t)(atof(word) * 1e6));
            } else {
                failure = add(real, word, service, hints, &end);
            }
        }
    }
    if (names != NULL)
        fclose(names);
    return failure;
}
