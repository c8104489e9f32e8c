# What each command is for is in README.md.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build
.PHONY: up test test-hostile build generate editor lint bench bench-ftp fmt screenshots

# One static program, whatever C compiler the machine has.
export CGO_ENABLED := 0

DATA  := $(or $(CANCALE_DATA),./var)
TOOL  := go tool -modfile=internal/tools/go.mod
RUN   := acl adminer apache2-bin mariadb-client mariadb-server-core media-types \
         $(addprefix php8.2-,cli curl fpm gd intl mbstring mysql opcache xml zip)
CHECK := chromium curl gcc lftp libc6-dev openssh-client python3

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
	CGO_ENABLED=1 go test -race -timeout 30m $(RACE)
	go test -timeout 25m ./...

# The attacks of one member on another, each by its name; they are part of test.
test-hostile:
	@.ci/packages $(RUN)
	go test -count=1 -v -timeout 5m ./internal/hostile

# File by file: given a directory, templ also walks through what members put
# below it.
generate:
	@for f in views/*.templ views/*/*.templ; do $(TOOL) templ generate -log-level error -f "$$f"; done

# The one script that is made of packages; its source and its recipe are in
# views/editor. Nothing else needs npm.
editor:
	@dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; cp views/editor/{package.json,package-lock.json,editor.js} "$$dir"; \
	(cd "$$dir" && npm ci --ignore-scripts --no-audit --no-fund && npm run build); cp "$$dir/out/editor.js" views/assets/editor.js

lint:
	$(TOOL) golangci-lint run

fmt:
	$(TOOL) templ fmt views
	$(TOOL) golangci-lint fmt

bench: build
	@.ci/packages $(RUN)
	@go run ./cmd/cancale-bench

# Our FTP service beside vsftpd, pure-ftpd and proftpd, and SFTP beside OpenSSH,
# in memory; the four are unpacked and not installed, so that none of them starts
# with the machine. `make bench-ftp ONLY=ftp:small` measures one part.
bench-ftp: build
	@.ci/packages $(RUN) curl lftp openssh-client openssl libhiredis0.14 libmemcached11 libmemcachedutil2 libpcre2-posix3 libwrap0
	@TMPDIR=/dev/shm go run ./cmd/cancale-bench --only $(or $(ONLY),ftp)

# Every page in every state, in both themes, at 1280 and 320 pixels.
screenshots:
	@.ci/packages chromium
	@go test ./views -count=1 -run TestEveryPageIsAccessible -screenshots "$(CURDIR)/screenshots"
