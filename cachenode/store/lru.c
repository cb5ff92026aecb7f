#include "cachenode/store/lru.h"

static struct item *at(const struct slab *slab, item_id id)
{
    return slab_at(slab, id);
}

void lru_link(const struct slab *slab, struct lru *lru, struct item *item, enum segment segment)
{
    struct lru_list *list = &lru->lists[segment];
    item_id id = slab_id(slab, item);
    uint8_t place = (uint8_t)((item->place & 63) | (unsigned)segment << 6);

    __atomic_store_n(&item->place, place, __ATOMIC_RELAXED);
    item->prev = 0;
    item->next = list->head;
    if (list->head != 0)
        at(slab, list->head)->prev = id;
    else
        list->tail = id;
    list->head = id;
    list->count++;
    list->bytes += item_size(item);
}

void lru_unlink(const struct slab *slab, struct lru *lru, struct item *item)
{
    struct lru_list *list = &lru->lists[item_segment(item)];

    if (item->prev != 0)
        at(slab, item->prev)->next = item->next;
    else
        list->head = item->next;
    if (item->next != 0)
        at(slab, item->next)->prev = item->prev;
    else
        list->tail = item->prev;
    list->count--;
    list->bytes -= item_size(item);
}

void lru_move(const struct slab *slab, struct lru *lru, struct item *item, enum segment segment)
{
    lru_unlink(slab, lru, item);
    lru_link(slab, lru, item, segment);
}
