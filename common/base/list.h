/*
 * Intrusive doubly linked lists: the link stands in the element, so that joining
 * and leaving a list allocates nothing and cannot fail.
 */
#ifndef COMMON_BASE_LIST_H
#define COMMON_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* A list's head and an element's link are the same thing, joined in a ring. */
struct list {
    struct list *next, *prev;
};

#define container_of(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline void list_init(struct list *list)
{
    list->next = list->prev = list;
}

static inline bool list_is_empty(const struct list *list)
{
    return list->next == list;
}

static inline void list_append(struct list *list, struct list *link)
{
    link->prev = list->prev;
    link->next = list;
    list->prev->next = link;
    list->prev = link;
}

/* Takes `link` out of its list and leaves it a list of its own. */
static inline void list_remove(struct list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    list_init(link);
}

/* Moves all elements of `from` to the empty list `to`. */
static inline void list_move(struct list *from, struct list *to)
{
    list_init(to);
    if (list_is_empty(from))
        return;
    *to = *from;
    to->next->prev = to->prev->next = to;
    list_init(from);
}

#define LIST_FIRST(head, type, member)                                                             \
    (list_is_empty(head) ? NULL : container_of((head)->next, type, member))

/* Walks the elements; the body may remove the current one. */
#define LIST_EACH(head, each, after)                                                               \
    for (struct list *each = (head)->next, *after = each->next; each != (head);                    \
         each = after, after = each->next)

#endif
