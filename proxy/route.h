/*
 * Where a request goes: answered by the proxy itself, or handed to a plan.
 */
#ifndef PROXY_ROUTE_H
#define PROXY_ROUTE_H

#include "proxy/plan/plan.h"

/* Has the request answered, now or later, in its turn. False: memory ran out, nothing was
 * done. `quit` is not for it. */
bool route_request(const struct plan_input *input);

/* Answers `text` and CR LF in the owner's order; false when memory ran out. */
bool route_answer(struct request_owner *owner, struct str text);

#endif
