#include <stdlib.h>
#include <string.h>

#include "common/bytes/base64.h"
#include "common/hash/hash.h"
#include "proxy/owed.h"

enum { BYTES_MAX = 4 << 20, SLOTS_FIRST = 256, TELL_MAX = 4096 };

static struct str key_at(const struct owed_keys *keys, size_t at)
{
    return (struct str){keys->bytes + at + 1, (unsigned char)keys->bytes[at]};
}

/* The slot where the key is, or is to be. */
static uint32_t *find_slot(const struct owed_keys *keys, struct str key)
{
    uint32_t mask = keys->slot_count - 1, i = hash_key(&hashes[0], key) & mask;

    while (keys->slots[i] != 0 && !str_equal(key_at(keys, keys->slots[i] - 1), key))
        i = (i + 1) & mask;
    return &keys->slots[i];
}

static bool grow_slots(struct owed_keys *keys)
{
    uint32_t wanted = keys->slot_count == 0 ? SLOTS_FIRST : keys->slot_count * 2;
    uint32_t *slots = calloc(wanted, sizeof(*slots));

    if (slots == NULL)
        return false;
    free(keys->slots);
    keys->slots = slots;
    keys->slot_count = wanted;
    for (size_t at = 0; at < keys->len; at += key_at(keys, at).len + 1)
        *find_slot(keys, key_at(keys, at)) = (uint32_t)at + 1;
    return true;
}

static bool grow_bytes(struct owed_keys *keys, size_t len)
{
    size_t wanted = keys->capacity == 0 ? 4096 : keys->capacity * 2;
    char *bytes;

    if (keys->len + len <= keys->capacity)
        return true;
    bytes = keys->len + len > BYTES_MAX ? NULL : realloc(keys->bytes, wanted);
    if (bytes == NULL)
        return false;
    keys->bytes = bytes;
    keys->capacity = wanted;
    return true;
}

/* A key that was told already is to be told once more: a write came after. */
static bool add(struct owed_keys *keys, struct str key)
{
    uint32_t *slot;

    if (keys->count * 2 >= keys->slot_count && !grow_slots(keys))
        return false;
    slot = find_slot(keys, key);
    if (*slot != 0 && *slot - 1 >= keys->told_len)
        return true;
    if (!grow_bytes(keys, key.len + 1))
        return false;
    keys->count += *slot == 0;
    *slot = (uint32_t)keys->len + 1;
    keys->bytes[keys->len] = (char)key.len;
    memcpy(keys->bytes + keys->len + 1, key.data, key.len);
    keys->len += key.len + 1;
    return true;
}

static void drop_keys(struct owed_keys *keys)
{
    free(keys->bytes);
    free(keys->slots);
    *keys = (struct owed_keys){0};
}

/* As the text protocol has keys. */
static bool is_word(struct str key)
{
    for (size_t i = 0; i < key.len; i++) {
        if ((unsigned char)key.data[i] <= ' ' || key.data[i] == 0x7f)
            return false;
    }
    return true;
}

void owed_add(struct owed *owed, struct str key)
{
    if (owed->is_all) {
        owed->is_all_told = false;
    } else if (!add(is_word(key) ? &owed->words : &owed->others, key)) {
        owed_clear(owed);
        owed->is_all = true;
    }
}

static bool write_key(struct chain *out, struct str key, bool as_word)
{
    char text[BASE64_LEN(UINT8_MAX)];

    if (as_word)
        return chain_copy(out, STR("delete ")) && chain_copy(out, key) &&
               chain_copy(out, STR("\r\n"));
    return chain_copy(out, STR("md ")) &&
           chain_copy(out, (struct str){text, base64_encode(text, key)}) &&
           chain_copy(out, STR(" b\r\n"));
}

static bool tell_keys(struct owed_keys *keys, struct chain *out, bool as_words, unsigned *replies)
{
    while (keys->told_len < keys->len && *replies < TELL_MAX) {
        struct str key = key_at(keys, keys->told_len);

        if (!write_key(out, key, as_words))
            return false;
        keys->told_len += key.len + 1;
        ++*replies;
    }
    return true;
}

bool owed_tell(struct owed *owed, struct chain *out, const struct mc_command **command,
               unsigned *replies)
{
    *replies = 0;
    if (owed->is_all && !owed->is_all_told) {
        owed->is_all_told = true;
        *command = &mc_commands[MC_FLUSH_ALL];
        *replies = 1;
        return chain_copy(out, STR("flush_all\r\n"));
    }
    if (owed->words.told_len < owed->words.len) {
        *command = &mc_commands[MC_DELETE];
        return tell_keys(&owed->words, out, true, replies);
    }
    *command = &mc_commands[MC_MD];
    return tell_keys(&owed->others, out, false, replies);
}

void owed_begin_again(struct owed *owed)
{
    owed->words.told_len = owed->others.told_len = 0;
    owed->is_all_told = false;
}

void owed_clear(struct owed *owed)
{
    drop_keys(&owed->words);
    drop_keys(&owed->others);
    owed->is_all = owed->is_all_told = false;
}
