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
    FIELD_ZERO,    /* of delete: a time once stood there; 0 is fine, nothing else is */
    FIELD_NOREPLY, /* the last word of the line, if it says so; else ignored */
    FIELD_REST,    /* anything; left in mc_request.rest for the command itself */
    FIELD_META     /* a meta command's key, length of its value if it stores, flags */
};

enum mc_trait {
    MC_STORES = 1,    /* carries a value */
    MC_RETRIEVES = 2, /* answers VALUE blocks and END; may be split by key */
    MC_KEYED = 4,     /* has at least one key, which says where it goes */
    MC_WITH_CAS = 8,  /* its VALUE lines name the CAS */
    MC_META = 16      /* key, flags of a letter each, and a reply in the order of the flags */
};

/* X(id, name, traits, fields of the line behind the name...); rows are searched from the first,
 * so those most asked for stand there */
#define MC_TEXT_COMMANDS(X)                                                                        \
    X(GET, "get", MC_RETRIEVES | MC_KEYED, FIELD_KEYS)                                             \
    X(SET, "set", MC_STORES | MC_KEYED, FIELD_KEY, FIELD_FLAGS, FIELD_EXPTIME, FIELD_BYTES,        \
      FIELD_NOREPLY)                                                                               \
    X(GETS, "gets", MC_RETRIEVES | MC_KEYED | MC_WITH_CAS, FIELD_KEYS)                             \
    X(GAT, "gat", MC_RETRIEVES | MC_KEYED, FIELD_TTL, FIELD_KEYS)                                  \
    X(GATS, "gats", MC_RETRIEVES | MC_KEYED | MC_WITH_CAS, FIELD_TTL, FIELD_KEYS)                  \
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
    X(DELETE, "delete", MC_KEYED, FIELD_KEY, FIELD_ZERO, FIELD_NOREPLY)                            \
    X(FLUSH_ALL, "flush_all", 0, FIELD_REST)                                                       \
    X(VERSION, "version", 0, FIELD_REST)                                                           \
    X(VERBOSITY, "verbosity", 0, FIELD_REST)                                                       \
    X(STATS, "stats", 0, FIELD_REST)                                                               \
    X(CACHE_MEMLIMIT, "cache_memlimit", 0, FIELD_REST)                                             \
    X(SLABS, "slabs", 0, FIELD_REST)                                                               \
    X(LRU_CRAWLER, "lru_crawler", 0, FIELD_REST)                                                   \
    X(SHUTDOWN, "shutdown", 0, FIELD_REST)                                                         \
    X(LRU, "lru", 0, FIELD_REST)                                                                   \
    X(REFRESH_CERTS, "refresh_certs", 0, FIELD_REST)                                               \
    X(WATCH, "watch", 0, FIELD_REST)                                                               \
    X(MG, "mg", MC_KEYED | MC_META, FIELD_META)                                                    \
    X(MS, "ms", MC_STORES | MC_KEYED | MC_META, FIELD_META)                                        \
    X(MD, "md", MC_KEYED | MC_META, FIELD_META)                                                    \
    X(MA, "ma", MC_KEYED | MC_META, FIELD_META)                                                    \
    X(ME, "me", MC_KEYED | MC_META, FIELD_META)                                                    \
    X(MN, "mn", 0, FIELD_REST)                                                                     \
    X(QUIT, "quit", 0, FIELD_REST)

/* What stands behind the letter of a meta flag. */
enum mc_meta_argument {
    META_UNKNOWN, /* no flag has this letter */
    META_NOTHING, /* or whatever: it is not looked at */
    META_OPAQUE,  /* given back as it is */
    META_TTL,     /* numbers, each in its field of the request */
    META_FLAGS,
    META_CAS,
    META_NEW_CAS,
    META_DELTA,
    META_INITIAL,
    META_VIVIFY_TTL,
    META_RECACHE_TTL,
    META_MODE /* a letter */
};

/* X(letter, argument); every command takes them all, and uses those that mean something to it */
#define MC_META_FLAGS(X)                                                                           \
    X('b', META_NOTHING)     /* the key is in base64 */                                            \
    X('c', META_NOTHING)     /* return the CAS */                                                  \
    X('f', META_NOTHING)     /* return the client flags */                                         \
    X('h', META_NOTHING)     /* return whether it was fetched before */                            \
    X('k', META_NOTHING)     /* return the key */                                                  \
    X('l', META_NOTHING)     /* return the seconds since the last access */                        \
    X('q', META_NOTHING)     /* say nothing of the usual outcome */                                \
    X('s', META_NOTHING)     /* return the value's length */                                       \
    X('t', META_NOTHING)     /* return the seconds to live */                                      \
    X('u', META_NOTHING)     /* do not count this as an access */                                  \
    X('v', META_NOTHING)     /* return the value */                                                \
    X('x', META_NOTHING)     /* md: leave the item, without its value */                           \
    X('C', META_CAS)         /* only if the CAS is this one */                                     \
    X('D', META_DELTA)       /* ma: by how much */                                                 \
    X('E', META_NEW_CAS)     /* the CAS to have from now on */                                     \
    X('F', META_FLAGS)       /* the client flags */                                                \
    X('I', META_NOTHING)     /* invalidate: md marks stale, ms takes an older CAS */               \
    X('J', META_INITIAL)     /* ma: what to begin with */                                          \
    X('L', META_NOTHING)     /* reserved for proxies */                                            \
    X('M', META_MODE)        /* ms, ma: which of the classic commands */                           \
    X('N', META_VIVIFY_TTL)  /* make it if it is not there */                                      \
    X('O', META_OPAQUE)      /* returned as it is */                                               \
    X('P', META_NOTHING)     /* reserved for proxies */                                            \
    X('R', META_RECACHE_TTL) /* mg: win if it has less to live */                                  \
    X('S', META_NOTHING)     /* the length of a value, once */                                     \
    X('T', META_TTL)         /* the new seconds to live */

#define MC_COMMAND_ID(id, ...) MC_##id,
enum mc_command_id { MC_TEXT_COMMANDS(MC_COMMAND_ID) MC_COMMAND_COUNT };

#endif
