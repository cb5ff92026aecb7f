# Builds cacheproxy and cachenode into build/$(BUILD).
#
#   make [BUILD=release|debug|asan|tsan] [CC=gcc|clang]
#   make test            unit tests of this BUILD
#   make reference       conf/reference.md, from the tables of options and statistics
#   make install PREFIX=/usr/local DESTDIR=
BUILD ?= release
PREFIX ?= /usr/local
OUT := build/$(BUILD)

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Werror
CPPFLAGS += -I. -D_GNU_SOURCE
CFLAGS_ALL := -std=gnu11 -g -fno-omit-frame-pointer -pthread $(WARNINGS)
LDFLAGS_ALL := -pthread
LIBS := -levent_core -lyaml -lm

ifeq ($(BUILD),release)
# gcc also optimises across files, but only when it links a program; clang would need lld.
ifeq ($(findstring clang,$(shell $(CC) --version)),)
CFLAGS_ALL += -flto=auto -ffat-lto-objects
PROGRAM_LDFLAGS := -flto=auto -O3
endif
CFLAGS_ALL += -O3 -fPIE -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
LDFLAGS_ALL += -pie -Wl,-z,relro,-z,now
else ifeq ($(BUILD),debug)
CFLAGS_ALL += -O0 -DLOCK_CHECKS
else ifeq ($(BUILD),asan)
CFLAGS_ALL += -O1 -DLOCK_CHECKS -fsanitize=address,undefined -fno-sanitize-recover=all
LDFLAGS_ALL += -fsanitize=address,undefined
else ifeq ($(BUILD),tsan)
CFLAGS_ALL += -O1 -DLOCK_CHECKS -fsanitize=thread
LDFLAGS_ALL += -fsanitize=thread
else
$(error BUILD is release, debug, asan or tsan)
endif

ifneq ($(BUILD),release)
LIBS += -levent_pthreads
endif

sources = $(sort $(wildcard $(addsuffix /*.c,$(1))))
objects = $(patsubst %.c,$(OUT)/obj/%.o,$(1))

COMMON := $(call sources,$(addprefix common/,base bytes hash option metric protocol net process))
PROXY := $(call sources,proxy proxy/distribution proxy/backend proxy/plan proxy/client)
NODE := $(call sources,cachenode cachenode/client cachenode/watch cachenode/store cachenode/upkeep cachenode/commands)
TESTS := $(shell find tests/unit -name 'test_*.c' 2>/dev/null | sort)
TEST_PROGRAMS := $(patsubst %.c,$(OUT)/%,$(TESTS))

all: $(OUT)/cacheproxy $(OUT)/cachenode

$(OUT)/libcommon.a: $(call objects,$(COMMON))
$(OUT)/libproxy.a: $(call objects,$(filter-out proxy/main.c,$(PROXY)))
$(OUT)/libcachenode.a: $(call objects,$(filter-out cachenode/main.c,$(NODE)))
%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^

$(OUT)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS_ALL) $(CFLAGS) -MMD -MP -c -o $@ $<

$(OUT)/cacheproxy: $(OUT)/obj/proxy/main.o $(OUT)/libproxy.a $(OUT)/libcommon.a
	$(CC) $(LDFLAGS_ALL) $(PROGRAM_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(OUT)/cachenode: $(OUT)/obj/cachenode/main.o $(OUT)/libcachenode.a $(OUT)/libcommon.a
	$(CC) $(LDFLAGS_ALL) $(PROGRAM_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

# A unit test links the layer that it tests and those below.
$(OUT)/tests/unit/common/%: $(OUT)/obj/tests/unit/common/%.o $(OUT)/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $(LDFLAGS) -o $@ $^ -lcheck -lsubunit -lrt $(LIBS)
$(OUT)/tests/unit/proxy/%: $(OUT)/obj/tests/unit/proxy/%.o $(OUT)/libproxy.a $(OUT)/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $(LDFLAGS) -o $@ $^ -lcheck -lsubunit -lrt $(LIBS)
$(OUT)/tests/unit/cachenode/%: $(OUT)/obj/tests/unit/cachenode/%.o $(OUT)/libcachenode.a $(OUT)/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $(LDFLAGS) -o $@ $^ -lcheck -lsubunit -lrt $(LIBS)

unit-tests: $(TEST_PROGRAMS)

test: all unit-tests
	scripts/unit $(TEST_PROGRAMS)

reference: $(OUT)/cacheproxy
	$(OUT)/cacheproxy --reference >conf/reference.md

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/cachepool
	install -m 755 $(OUT)/cacheproxy $(OUT)/cachenode $(DESTDIR)$(PREFIX)/bin
	install -m 644 conf/cacheproxy.yml conf/reference.md $(DESTDIR)$(PREFIX)/share/cachepool

clean:
	rm -rf build

.PHONY: all unit-tests test reference install clean
.SECONDARY:
-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
