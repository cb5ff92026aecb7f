#include <stdlib.h>
#include <string.h>

#include "common/base/freelist.h"

void *freelist_take(struct freelist *list)
{
    void *object = list->first;

    if (object == NULL)
        return malloc(list->size);
    memcpy(&list->first, object, sizeof(void *));
    list->count--;
    return object;
}

void freelist_give(struct freelist *list, void *object)
{
    if (list->count >= list->ceiling) {
        free(object);
        return;
    }
    memcpy(object, &list->first, sizeof(void *));
    list->first = object;
    list->count++;
}

void freelist_trim(struct freelist *list, unsigned keep)
{
    while (list->count > keep) {
        void *object = list->first;

        memcpy(&list->first, object, sizeof(void *));
        list->count--;
        free(object);
    }
}
