/*
 * The commands of Redis that a sharding proxy knows, a row each, in the order of their names.
 * Routing, splitting and refusing all read these rows; COMMAND tells them to clients.
 *
 * Source of arities and key positions: https://redis.io/docs/latest/commands/
 */
#ifndef COMMON_PROTOCOL_RESP_COMMANDS_H
#define COMMON_PROTOCOL_RESP_COMMANDS_H

#include <stdint.h>

#include "common/bytes/str.h"

/* What becomes of a command. */
enum resp_way {
    RESP_ONE,          /* goes to the server of its keys, which must be one */
    RESP_ONE_OR_STORE, /* the same; the word behind STORE or STOREDIST is a key, too */
    RESP_COUNTED,      /* the same; `first` is where the number of keys stands, before the keys;
                          `last` is one more key in front of it, if not 0 */
    RESP_MGET,         /* split: the values in the order of the keys */
    RESP_MSET,         /* split: OK if all say so */
    RESP_SUM,          /* split: the sum of what the servers answer */
    RESP_ANY,          /* has no key: any server will do */
    RESP_HERE,         /* answered by the proxy */
    RESP_BLOCKS,       /* refused, as are all below: would hold up who shares the connection */
    RESP_OWN,          /* needs a connection of its own */
    RESP_ALL,          /* concerns all servers */
    RESP_ADMIN         /* is for who runs a server */
};

struct resp_command {
    const char *name; /* in capitals */
    uint8_t name_len;
    uint8_t way;              /* enum resp_way */
    int8_t arity;             /* words in all; negative: at least so many */
    int8_t first, last, step; /* where keys stand; a last of -1: the last word */
    uint8_t id;               /* enum resp_command_id */
};

/* X(name, arity, first, last, step, way) */
#define RESP_COMMANDS(X)                                                                           \
    X(ACL, -1, 0, 0, 0, ADMIN)                                                                     \
    X(APPEND, 3, 1, 1, 1, ONE)                                                                     \
    X(ASKING, -1, 0, 0, 0, ADMIN)                                                                  \
    X(AUTH, -2, 0, 0, 0, HERE)                                                                     \
    X(BGREWRITEAOF, -1, 0, 0, 0, ADMIN)                                                            \
    X(BGSAVE, -1, 0, 0, 0, ADMIN)                                                                  \
    X(BITCOUNT, -2, 1, 1, 1, ONE)                                                                  \
    X(BITFIELD, -2, 1, 1, 1, ONE)                                                                  \
    X(BITFIELD_RO, -2, 1, 1, 1, ONE)                                                               \
    X(BITOP, -4, 2, -1, 1, ONE)                                                                    \
    X(BITPOS, -3, 1, 1, 1, ONE)                                                                    \
    X(BLMOVE, -1, 0, 0, 0, BLOCKS)                                                                 \
    X(BLMPOP, -1, 0, 0, 0, BLOCKS)                                                                 \
    X(BLPOP, -1, 0, 0, 0, BLOCKS)                                                                  \
    X(BRPOP, -1, 0, 0, 0, BLOCKS)                                                                  \
    X(BRPOPLPUSH, -1, 0, 0, 0, BLOCKS)                                                             \
    X(BZMPOP, -1, 0, 0, 0, BLOCKS)                                                                 \
    X(BZPOPMAX, -1, 0, 0, 0, BLOCKS)                                                               \
    X(BZPOPMIN, -1, 0, 0, 0, BLOCKS)                                                               \
    X(CLIENT, -2, 0, 0, 0, HERE)                                                                   \
    X(CLUSTER, -1, 0, 0, 0, ADMIN)                                                                 \
    X(COMMAND, -1, 0, 0, 0, HERE)                                                                  \
    X(CONFIG, -1, 0, 0, 0, ADMIN)                                                                  \
    X(COPY, -3, 1, 2, 1, ONE)                                                                      \
    X(DBSIZE, -1, 0, 0, 0, ALL)                                                                    \
    X(DEBUG, -1, 0, 0, 0, ADMIN)                                                                   \
    X(DECR, 2, 1, 1, 1, ONE)                                                                       \
    X(DECRBY, 3, 1, 1, 1, ONE)                                                                     \
    X(DEL, -2, 1, -1, 1, SUM)                                                                      \
    X(DISCARD, -1, 0, 0, 0, OWN)                                                                   \
    X(DUMP, 2, 1, 1, 1, ONE)                                                                       \
    X(ECHO, 2, 0, 0, 0, HERE)                                                                      \
    X(EVAL, -3, 2, 0, 1, COUNTED)                                                                  \
    X(EVALSHA, -3, 2, 0, 1, COUNTED)                                                               \
    X(EVALSHA_RO, -3, 2, 0, 1, COUNTED)                                                            \
    X(EVAL_RO, -3, 2, 0, 1, COUNTED)                                                               \
    X(EXEC, -1, 0, 0, 0, OWN)                                                                      \
    X(EXISTS, -2, 1, -1, 1, SUM)                                                                   \
    X(EXPIRE, -3, 1, 1, 1, ONE)                                                                    \
    X(EXPIREAT, -3, 1, 1, 1, ONE)                                                                  \
    X(EXPIRETIME, 2, 1, 1, 1, ONE)                                                                 \
    X(FAILOVER, -1, 0, 0, 0, ADMIN)                                                                \
    X(FCALL, -3, 2, 0, 1, COUNTED)                                                                 \
    X(FCALL_RO, -3, 2, 0, 1, COUNTED)                                                              \
    X(FLUSHALL, -1, 0, 0, 0, ALL)                                                                  \
    X(FLUSHDB, -1, 0, 0, 0, ALL)                                                                   \
    X(FUNCTION, -1, 0, 0, 0, ALL)                                                                  \
    X(GEOADD, -5, 1, 1, 1, ONE)                                                                    \
    X(GEODIST, -4, 1, 1, 1, ONE)                                                                   \
    X(GEOHASH, -2, 1, 1, 1, ONE)                                                                   \
    X(GEOPOS, -2, 1, 1, 1, ONE)                                                                    \
    X(GEORADIUS, -6, 1, 1, 1, ONE_OR_STORE)                                                        \
    X(GEORADIUSBYMEMBER, -5, 1, 1, 1, ONE_OR_STORE)                                                \
    X(GEORADIUSBYMEMBER_RO, -5, 1, 1, 1, ONE)                                                      \
    X(GEORADIUS_RO, -6, 1, 1, 1, ONE)                                                              \
    X(GEOSEARCH, -7, 1, 1, 1, ONE)                                                                 \
    X(GEOSEARCHSTORE, -8, 1, 2, 1, ONE)                                                            \
    X(GET, 2, 1, 1, 1, ONE)                                                                        \
    X(GETBIT, 3, 1, 1, 1, ONE)                                                                     \
    X(GETDEL, 2, 1, 1, 1, ONE)                                                                     \
    X(GETEX, -2, 1, 1, 1, ONE)                                                                     \
    X(GETRANGE, 4, 1, 1, 1, ONE)                                                                   \
    X(GETSET, 3, 1, 1, 1, ONE)                                                                     \
    X(HDEL, -3, 1, 1, 1, ONE)                                                                      \
    X(HELLO, -1, 0, 0, 0, HERE)                                                                    \
    X(HEXISTS, 3, 1, 1, 1, ONE)                                                                    \
    X(HGET, 3, 1, 1, 1, ONE)                                                                       \
    X(HGETALL, 2, 1, 1, 1, ONE)                                                                    \
    X(HINCRBY, 4, 1, 1, 1, ONE)                                                                    \
    X(HINCRBYFLOAT, 4, 1, 1, 1, ONE)                                                               \
    X(HKEYS, 2, 1, 1, 1, ONE)                                                                      \
    X(HLEN, 2, 1, 1, 1, ONE)                                                                       \
    X(HMGET, -3, 1, 1, 1, ONE)                                                                     \
    X(HMSET, -4, 1, 1, 1, ONE)                                                                     \
    X(HRANDFIELD, -2, 1, 1, 1, ONE)                                                                \
    X(HSCAN, -3, 1, 1, 1, ONE)                                                                     \
    X(HSET, -4, 1, 1, 1, ONE)                                                                      \
    X(HSETNX, 4, 1, 1, 1, ONE)                                                                     \
    X(HSTRLEN, 3, 1, 1, 1, ONE)                                                                    \
    X(HVALS, 2, 1, 1, 1, ONE)                                                                      \
    X(INCR, 2, 1, 1, 1, ONE)                                                                       \
    X(INCRBY, 3, 1, 1, 1, ONE)                                                                     \
    X(INCRBYFLOAT, 3, 1, 1, 1, ONE)                                                                \
    X(INFO, -1, 0, 0, 0, HERE)                                                                     \
    X(KEYS, -1, 0, 0, 0, ALL)                                                                      \
    X(LASTSAVE, -1, 0, 0, 0, ADMIN)                                                                \
    X(LATENCY, -1, 0, 0, 0, ADMIN)                                                                 \
    X(LCS, -3, 1, 2, 1, ONE)                                                                       \
    X(LINDEX, 3, 1, 1, 1, ONE)                                                                     \
    X(LINSERT, 5, 1, 1, 1, ONE)                                                                    \
    X(LLEN, 2, 1, 1, 1, ONE)                                                                       \
    X(LMOVE, 5, 1, 2, 1, ONE)                                                                      \
    X(LMPOP, -4, 1, 0, 1, COUNTED)                                                                 \
    X(LOLWUT, -1, 0, 0, 0, ANY)                                                                    \
    X(LPOP, -2, 1, 1, 1, ONE)                                                                      \
    X(LPOS, -3, 1, 1, 1, ONE)                                                                      \
    X(LPUSH, -3, 1, 1, 1, ONE)                                                                     \
    X(LPUSHX, -3, 1, 1, 1, ONE)                                                                    \
    X(LRANGE, 4, 1, 1, 1, ONE)                                                                     \
    X(LREM, 4, 1, 1, 1, ONE)                                                                       \
    X(LSET, 4, 1, 1, 1, ONE)                                                                       \
    X(LTRIM, 4, 1, 1, 1, ONE)                                                                      \
    X(MEMORY, -1, 0, 0, 0, ADMIN)                                                                  \
    X(MGET, -2, 1, -1, 1, MGET)                                                                    \
    X(MIGRATE, -1, 0, 0, 0, ADMIN)                                                                 \
    X(MODULE, -1, 0, 0, 0, ADMIN)                                                                  \
    X(MONITOR, -1, 0, 0, 0, OWN)                                                                   \
    X(MOVE, -1, 0, 0, 0, ADMIN)                                                                    \
    X(MSET, -3, 1, -1, 2, MSET)                                                                    \
    X(MSETNX, -3, 1, -1, 2, ONE)                                                                   \
    X(MULTI, -1, 0, 0, 0, OWN)                                                                     \
    X(OBJECT, -2, 2, 2, 1, ONE)                                                                    \
    X(PERSIST, 2, 1, 1, 1, ONE)                                                                    \
    X(PEXPIRE, -3, 1, 1, 1, ONE)                                                                   \
    X(PEXPIREAT, -3, 1, 1, 1, ONE)                                                                 \
    X(PEXPIRETIME, 2, 1, 1, 1, ONE)                                                                \
    X(PFADD, -2, 1, 1, 1, ONE)                                                                     \
    X(PFCOUNT, -2, 1, -1, 1, ONE)                                                                  \
    X(PFMERGE, -2, 1, -1, 1, ONE)                                                                  \
    X(PING, -1, 0, 0, 0, HERE)                                                                     \
    X(PSETEX, 4, 1, 1, 1, ONE)                                                                     \
    X(PSUBSCRIBE, -1, 0, 0, 0, OWN)                                                                \
    X(PSYNC, -1, 0, 0, 0, ADMIN)                                                                   \
    X(PTTL, 2, 1, 1, 1, ONE)                                                                       \
    X(PUBLISH, -1, 0, 0, 0, ALL)                                                                   \
    X(PUBSUB, -1, 0, 0, 0, ALL)                                                                    \
    X(PUNSUBSCRIBE, -1, 0, 0, 0, OWN)                                                              \
    X(QUIT, -1, 0, 0, 0, HERE)                                                                     \
    X(RANDOMKEY, -1, 0, 0, 0, ALL)                                                                 \
    X(READONLY, 1, 0, 0, 0, HERE)                                                                  \
    X(READWRITE, 1, 0, 0, 0, HERE)                                                                 \
    X(RENAME, 3, 1, 2, 1, ONE)                                                                     \
    X(RENAMENX, 3, 1, 2, 1, ONE)                                                                   \
    X(REPLCONF, -1, 0, 0, 0, ADMIN)                                                                \
    X(REPLICAOF, -1, 0, 0, 0, ADMIN)                                                               \
    X(RESET, 1, 0, 0, 0, HERE)                                                                     \
    X(RESTORE, -4, 1, 1, 1, ONE)                                                                   \
    X(ROLE, -1, 0, 0, 0, ADMIN)                                                                    \
    X(RPOP, -2, 1, 1, 1, ONE)                                                                      \
    X(RPOPLPUSH, 3, 1, 2, 1, ONE)                                                                  \
    X(RPUSH, -3, 1, 1, 1, ONE)                                                                     \
    X(RPUSHX, -3, 1, 1, 1, ONE)                                                                    \
    X(SADD, -3, 1, 1, 1, ONE)                                                                      \
    X(SAVE, -1, 0, 0, 0, ADMIN)                                                                    \
    X(SCAN, -1, 0, 0, 0, ALL)                                                                      \
    X(SCARD, 2, 1, 1, 1, ONE)                                                                      \
    X(SCRIPT, -1, 0, 0, 0, ALL)                                                                    \
    X(SDIFF, -2, 1, -1, 1, ONE)                                                                    \
    X(SDIFFSTORE, -3, 1, -1, 1, ONE)                                                               \
    X(SELECT, 2, 0, 0, 0, HERE)                                                                    \
    X(SET, -3, 1, 1, 1, ONE)                                                                       \
    X(SETBIT, 4, 1, 1, 1, ONE)                                                                     \
    X(SETEX, 4, 1, 1, 1, ONE)                                                                      \
    X(SETNX, 3, 1, 1, 1, ONE)                                                                      \
    X(SETRANGE, 4, 1, 1, 1, ONE)                                                                   \
    X(SHUTDOWN, -1, 0, 0, 0, ADMIN)                                                                \
    X(SINTER, -2, 1, -1, 1, ONE)                                                                   \
    X(SINTERCARD, -3, 1, 0, 1, COUNTED)                                                            \
    X(SINTERSTORE, -3, 1, -1, 1, ONE)                                                              \
    X(SISMEMBER, 3, 1, 1, 1, ONE)                                                                  \
    X(SLAVEOF, -1, 0, 0, 0, ADMIN)                                                                 \
    X(SLOWLOG, -1, 0, 0, 0, ADMIN)                                                                 \
    X(SMEMBERS, 2, 1, 1, 1, ONE)                                                                   \
    X(SMISMEMBER, -3, 1, 1, 1, ONE)                                                                \
    X(SMOVE, 4, 1, 2, 1, ONE)                                                                      \
    X(SORT, -2, 1, 1, 1, ONE_OR_STORE)                                                             \
    X(SORT_RO, -2, 1, 1, 1, ONE)                                                                   \
    X(SPOP, -2, 1, 1, 1, ONE)                                                                      \
    X(SPUBLISH, -1, 0, 0, 0, ALL)                                                                  \
    X(SRANDMEMBER, -2, 1, 1, 1, ONE)                                                               \
    X(SREM, -3, 1, 1, 1, ONE)                                                                      \
    X(SSCAN, -3, 1, 1, 1, ONE)                                                                     \
    X(SSUBSCRIBE, -1, 0, 0, 0, OWN)                                                                \
    X(STRLEN, 2, 1, 1, 1, ONE)                                                                     \
    X(SUBSCRIBE, -1, 0, 0, 0, OWN)                                                                 \
    X(SUBSTR, 4, 1, 1, 1, ONE)                                                                     \
    X(SUNION, -2, 1, -1, 1, ONE)                                                                   \
    X(SUNIONSTORE, -3, 1, -1, 1, ONE)                                                              \
    X(SUNSUBSCRIBE, -1, 0, 0, 0, OWN)                                                              \
    X(SWAPDB, -1, 0, 0, 0, ALL)                                                                    \
    X(SYNC, -1, 0, 0, 0, ADMIN)                                                                    \
    X(TIME, -1, 0, 0, 0, ADMIN)                                                                    \
    X(TOUCH, -2, 1, -1, 1, SUM)                                                                    \
    X(TTL, 2, 1, 1, 1, ONE)                                                                        \
    X(TYPE, 2, 1, 1, 1, ONE)                                                                       \
    X(UNLINK, -2, 1, -1, 1, SUM)                                                                   \
    X(UNSUBSCRIBE, -1, 0, 0, 0, OWN)                                                               \
    X(UNWATCH, -1, 0, 0, 0, OWN)                                                                   \
    X(WAIT, -1, 0, 0, 0, BLOCKS)                                                                   \
    X(WAITAOF, -1, 0, 0, 0, BLOCKS)                                                                \
    X(WATCH, -1, 0, 0, 0, OWN)                                                                     \
    X(XACK, -4, 1, 1, 1, ONE)                                                                      \
    X(XADD, -5, 1, 1, 1, ONE)                                                                      \
    X(XAUTOCLAIM, -6, 1, 1, 1, ONE)                                                                \
    X(XCLAIM, -6, 1, 1, 1, ONE)                                                                    \
    X(XDEL, -3, 1, 1, 1, ONE)                                                                      \
    X(XGROUP, -2, 2, 2, 1, ONE)                                                                    \
    X(XINFO, -2, 2, 2, 1, ONE)                                                                     \
    X(XLEN, 2, 1, 1, 1, ONE)                                                                       \
    X(XPENDING, -3, 1, 1, 1, ONE)                                                                  \
    X(XRANGE, -4, 1, 1, 1, ONE)                                                                    \
    X(XREAD, -1, 0, 0, 0, BLOCKS)                                                                  \
    X(XREADGROUP, -1, 0, 0, 0, BLOCKS)                                                             \
    X(XREVRANGE, -4, 1, 1, 1, ONE)                                                                 \
    X(XSETID, -3, 1, 1, 1, ONE)                                                                    \
    X(XTRIM, -4, 1, 1, 1, ONE)                                                                     \
    X(ZADD, -4, 1, 1, 1, ONE)                                                                      \
    X(ZCARD, 2, 1, 1, 1, ONE)                                                                      \
    X(ZCOUNT, 4, 1, 1, 1, ONE)                                                                     \
    X(ZDIFF, -3, 1, 0, 1, COUNTED)                                                                 \
    X(ZDIFFSTORE, -4, 2, 1, 1, COUNTED)                                                            \
    X(ZINCRBY, 4, 1, 1, 1, ONE)                                                                    \
    X(ZINTER, -3, 1, 0, 1, COUNTED)                                                                \
    X(ZINTERCARD, -3, 1, 0, 1, COUNTED)                                                            \
    X(ZINTERSTORE, -4, 2, 1, 1, COUNTED)                                                           \
    X(ZLEXCOUNT, 4, 1, 1, 1, ONE)                                                                  \
    X(ZMPOP, -4, 1, 0, 1, COUNTED)                                                                 \
    X(ZMSCORE, -3, 1, 1, 1, ONE)                                                                   \
    X(ZPOPMAX, -2, 1, 1, 1, ONE)                                                                   \
    X(ZPOPMIN, -2, 1, 1, 1, ONE)                                                                   \
    X(ZRANDMEMBER, -2, 1, 1, 1, ONE)                                                               \
    X(ZRANGE, -4, 1, 1, 1, ONE)                                                                    \
    X(ZRANGEBYLEX, -4, 1, 1, 1, ONE)                                                               \
    X(ZRANGEBYSCORE, -4, 1, 1, 1, ONE)                                                             \
    X(ZRANGESTORE, -5, 1, 2, 1, ONE)                                                               \
    X(ZRANK, -3, 1, 1, 1, ONE)                                                                     \
    X(ZREM, -3, 1, 1, 1, ONE)                                                                      \
    X(ZREMRANGEBYLEX, 4, 1, 1, 1, ONE)                                                             \
    X(ZREMRANGEBYRANK, 4, 1, 1, 1, ONE)                                                            \
    X(ZREMRANGEBYSCORE, 4, 1, 1, 1, ONE)                                                           \
    X(ZREVRANGE, -4, 1, 1, 1, ONE)                                                                 \
    X(ZREVRANGEBYLEX, -4, 1, 1, 1, ONE)                                                            \
    X(ZREVRANGEBYSCORE, -4, 1, 1, 1, ONE)                                                          \
    X(ZREVRANK, -3, 1, 1, 1, ONE)                                                                  \
    X(ZSCAN, -3, 1, 1, 1, ONE)                                                                     \
    X(ZSCORE, 3, 1, 1, 1, ONE)                                                                     \
    X(ZUNION, -3, 1, 0, 1, COUNTED)                                                                \
    X(ZUNIONSTORE, -4, 2, 1, 1, COUNTED)

#define RESP_COMMAND_ID(name, ...) RESP_COMMAND_##name,
enum resp_command_id { RESP_COMMANDS(RESP_COMMAND_ID) RESP_COMMAND_COUNT };

extern const struct resp_command resp_commands[RESP_COMMAND_COUNT];

/* Finds a command whichever case its name is written in; NULL: none of ours. */
const struct resp_command *resp_command_find(struct str name);

#endif
