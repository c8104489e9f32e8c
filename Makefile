# What each command is for is in README.md.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build
.PHONY: up test test-hostile build generate lint bench fmt screenshots

# One static program, whatever C compiler the machine has.
export CGO_ENABLED := 0

DATA  := $(or $(CANCALE_DATA),./var)
TOOL  := go tool -modfile=internal/tools/go.mod
RUN   := acl apache2-bin mariadb-client-core mariadb-server-core media-types \
         $(addprefix php8.2-,cli curl fpm gd intl mbstring mysql opcache xml zip)
CHECK := chromium curl gcc lftp libc6-dev

# Packages that several goroutines run through.
RACE := ./internal/reconcile ./internal/supervise ./internal/host ./internal/agent ./internal/driver/apache ./internal/sitelog ./ftpd

up: build
	@.ci/packages $(RUN)
	@exec bin/cancale --data "$(DATA)" up

build:
	@umask 022; go build -o bin/cancale ./cmd/cancale

test:
	@.ci/packages $(RUN) $(CHECK)
	@.ci/fresh
	go vet ./...
	CGO_ENABLED=1 go test -race -timeout 8m $(RACE)
	go test -timeout 15m ./...

# The attacks of one member on another, each by its name; they are part of test.
test-hostile:
	@.ci/packages $(RUN)
	go test -count=1 -v -timeout 5m ./internal/hostile

# File by file: given a directory, templ also walks through what members put
# below it.
generate:
	@for f in views/*.templ views/*/*.templ; do $(TOOL) templ generate -log-level error -f "$$f"; done

lint:
	$(TOOL) golangci-lint run

fmt:
	$(TOOL) templ fmt views
	$(TOOL) golangci-lint fmt

bench: build
	@.ci/packages $(RUN)
	@go run ./cmd/cancale-bench

# Every page in every state, in both themes, at 1280 and 320 pixels.
screenshots:
	@.ci/packages chromium
	@go test ./views -count=1 -run TestEveryPageIsAccessible -screenshots "$(CURDIR)/screenshots"
