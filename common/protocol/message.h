/*
 * What every parser says of the bytes it was shown.
 */
#ifndef COMMON_PROTOCOL_MESSAGE_H
#define COMMON_PROTOCOL_MESSAGE_H

enum parse {
    PARSE_MORE, /* the head is not all there; nothing is known yet */
    PARSE_DONE, /* the head is parsed */
    PARSE_BAD   /* a whole line or head that is not right: answer its error, go on behind it */
};

#endif
