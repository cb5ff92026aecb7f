/*
 * The commands of memcached's text protocol, a row each, in the words of its
 * specification. Parsing, routing, splitting and counting all read these rows.
 */
#ifndef COMMON_PROTOCOL_MEMCACHE_COMMANDS_H
#define COMMON_PROTOCOL_MEMCACHE_COMMANDS_H

/* The fields of a command line behind its name. */
enum mc_field {
    FIELD_END,
    FIELD_KEY,
    FIELD_KEYS, /* one or more; the rest of the line */
    FIELD_FLAGS,
    FIELD_EXPTIME, /* of a storage command: a bad one is a bad line */
    FIELD_TTL,     /* of touch, gat: a bad one is an invalid exptime argument */
    FIELD_BYTES,
    FIELD_CAS,
    FIELD_DELTA,
    FIELD_NOREPLY, /* the last word of the line, if it says so; else ignored */
    FIELD_REST     /* anything; left in mc_request.rest for the command itself */
};

enum mc_trait {
    MC_STORES = 1,    /* carries a value */
    MC_RETRIEVES = 2, /* answers VALUE blocks and END; may be split by key */
    MC_KEYED = 4,     /* has at least one key, which says where it goes */
    MC_WITH_CAS = 8   /* its VALUE lines name the CAS */
};

/* X(id, name, traits, fields of the line behind the name...) */
#define MC_TEXT_COMMANDS(X)                                                                        \
    X(GET, "get", MC_RETRIEVES | MC_KEYED, FIELD_KEYS)                                             \
    X(GETS, "gets", MC_RETRIEVES | MC_KEYED | MC_WITH_CAS, FIELD_KEYS)                             \
    X(GAT, "gat", MC_RETRIEVES | MC_KEYED, FIELD_TTL, FIELD_KEYS)                                  \
    X(GATS, "gats", MC_RETRIEVES | MC_KEYED | MC_WITH_CAS, FIELD_TTL, FIELD_KEYS)                  \
    X(SET, "set", MC_STORES | MC_KEYED, FIELD_KEY, FIELD_FLAGS, FIELD_EXPTIME, FIELD_BYTES,        \
      FIELD_NOREPLY)                                                                               \
    X(ADD, "add", MC_STORES | MC_KEYED, FIELD_KEY, FIELD_FLAGS, FIELD_EXPTIME, FIELD_BYTES,        \
      FIELD_NOREPLY)                                                                               \
    X(REPLACE, "replace", MC_STORES | MC_KEYED, FIELD_KEY, FIELD_FLAGS, FIELD_EXPTIME,             \
      FIELD_BYTES, FIELD_NOREPLY)                                                                  \
    X(APPEND, "append", MC_STORES | MC_KEYED, FIELD_KEY, FIELD_FLAGS, FIELD_EXPTIME, FIELD_BYTES,  \
      FIELD_NOREPLY)                                                                               \
    X(PREPEND, "prepend", MC_STORES | MC_KEYED, FIELD_KEY, FIELD_FLAGS, FIELD_EXPTIME,             \
      FIELD_BYTES, FIELD_NOREPLY)                                                                  \
    X(CAS, "cas", MC_STORES | MC_KEYED, FIELD_KEY, FIELD_FLAGS, FIELD_EXPTIME, FIELD_BYTES,        \
      FIELD_CAS, FIELD_NOREPLY)                                                                    \
    X(INCR, "incr", MC_KEYED, FIELD_KEY, FIELD_DELTA, FIELD_NOREPLY)                               \
    X(DECR, "decr", MC_KEYED, FIELD_KEY, FIELD_DELTA, FIELD_NOREPLY)                               \
    X(TOUCH, "touch", MC_KEYED, FIELD_KEY, FIELD_TTL, FIELD_NOREPLY)                               \
    X(DELETE, "delete", MC_KEYED, FIELD_KEY, FIELD_NOREPLY)                                        \
    X(FLUSH_ALL, "flush_all", 0, FIELD_REST)                                                       \
    X(VERSION, "version", 0, FIELD_REST)                                                           \
    X(VERBOSITY, "verbosity", 0, FIELD_REST)                                                       \
    X(STATS, "stats", 0, FIELD_REST)                                                               \
    X(MN, "mn", 0, FIELD_REST)                                                                     \
    X(QUIT, "quit", 0, FIELD_REST)

#define MC_COMMAND_ID(id, ...) MC_##id,
enum mc_command_id { MC_TEXT_COMMANDS(MC_COMMAND_ID) MC_COMMAND_COUNT };

#endif
