package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	boundRounds = 7                // odd, for a median
	boundFor    = 10 * time.Second // in which the supervisor's work is counted
)

// measureBound tells what it costs that one site cannot hold all of Apache's
// workers: with it against without it, turn by turn on the same sites.
//
// There are two parts. The supervisor counts what waits at the sites' sockets,
// and does so only while any PHP is awake: with all asleep there is no bound.
// Apache refuses to connect to other FastCGI services than the sites' own
// (ProxyBlock); without that line of its configuration it does not.
func (in *installation) measureBound(ctx context.Context, n int) error {
	if err := in.measureProxyBlock(ctx, n); err != nil {
		return err
	}
	return in.measureCrowds(ctx, n)
}

// measureCrowds compares a supervisor that counts with one that has nothing to
// count.
func (in *installation) measureCrowds(ctx context.Context, n int) error {
	site, err := in.phpSite(ctx, fmt.Sprintf("bound-%d.example", n))
	if err != nil {
		return err
	}
	up := in.up.Process.Pid
	idle, memory, err := in.work(ctx, up)
	if err != nil {
		return err
	}
	without, err := in.creations(ctx, fmt.Sprintf("asleep-%d", n))
	if err != nil {
		return err
	}
	if code, body, err := in.get(ctx, site.Host, "/bench.php"); err != nil || body != phpAnswer {
		return fmt.Errorf("first PHP answer: %d %q, %w", code, body, err)
	}
	busy, with, err := in.work(ctx, up)
	if err != nil {
		return err
	}
	created, err := in.creations(ctx, fmt.Sprintf("awake-%d", n))
	if err != nil {
		return err
	}
	report(fmt.Sprintf("counting who waits for PHP, %d sites", n), "%.2f %% of a core, %.2f %% with all asleep; supervisor %d MB PSS, %d MB; ratio %.2f",
		100*busy.Seconds()/boundFor.Seconds(), 100*idle.Seconds()/boundFor.Seconds(), with/1024, memory/1024, float64(with)/float64(memory))
	report(fmt.Sprintf("site asked for → live while it counts, %d sites", n), "%s; with all asleep %s; ratio %.2f", ms(median(created)), ms(median(without)), float64(median(created))/float64(median(without)))
	return nil
}

// work is how much time a process spends on processors in boundFor, and its
// memory after that, in KiB.
func (in *installation) work(ctx context.Context, pid int) (time.Duration, int, error) {
	before, err := ticks(pid)
	if err != nil {
		return 0, 0, err
	}
	select {
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	case <-time.After(boundFor):
	}
	after, err := ticks(pid)
	if err != nil {
		return 0, 0, err
	}
	memory, err := pss(pid)
	return time.Duration(after-before) * time.Second / ticksPerSecond, memory, err
}

// creations times sites from their being asked for until they answer.
func (in *installation) creations(ctx context.Context, stem string) ([]time.Duration, error) {
	var took []time.Duration
	for round := range boundRounds {
		host := fmt.Sprintf("%s-%d.example", stem, round)
		start := time.Now()
		if _, err := in.cancale(ctx, "", "site", "create", host, "--account", in.account, "--wait", "--json"); err != nil {
			return nil, err
		}
		if err := in.until(ctx, host, "/", func(code int, _ string) bool { return code == http.StatusOK }); err != nil {
			return nil, err
		}
		took = append(took, time.Since(start))
		in.created++
	}
	return took, nil
}

// measureProxyBlock compares Apache's graceful restarts and its memory with the
// line and without it.
func (in *installation) measureProxyBlock(ctx context.Context, n int) (err error) {
	const site = "site-0.example"
	file := in.layout.In("apache", "server.conf")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.WriteFile(file, text, 0o600)) }()
	lines := slices.DeleteFunc(slices.Collect(strings.Lines(string(text))), func(line string) bool { return strings.HasPrefix(line, "ProxyBlock ") })
	without := []byte(strings.Join(lines, ""))
	if len(without) == len(text) {
		return fmt.Errorf("%s has no ProxyBlock", file)
	}
	took, memory := map[bool][]time.Duration{}, map[bool]int{}
	for round := range boundRounds {
		for _, on := range []bool{true, false} {
			content := without
			if on {
				content = text
			}
			if err := os.WriteFile(file, content, 0o600); err != nil {
				return err
			}
			d, err := in.bareVhost(ctx, site, fmt.Sprintf("block-%d-%d-%v.example", n, round, on))
			if err != nil {
				return err
			}
			took[on] = append(took[on], d)
			if memory[on], err = familyPSS(in.pid("apache")); err != nil {
				return err
			}
		}
	}
	on, off := median(took[true]), median(took[false])
	report(fmt.Sprintf("reload with ProxyBlock, %d sites", n), "%s; without it %s; ratio %.2f; Apache %d MB PSS, %d MB; ratio %.2f",
		ms(on), ms(off), float64(on)/float64(off), memory[true]/1024, memory[false]/1024, float64(memory[true])/float64(memory[false]))
	return nil
}

// familyPSS adds the proportional set sizes of a process and its children, in
// KiB. A child that ends meanwhile counts for nothing.
func familyPSS(pid int) (int, error) {
	total, err := pss(pid)
	if err != nil {
		return 0, err
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0, err
	}
	for field := range strings.FieldsSeq(string(children)) {
		child, err := strconv.Atoi(field)
		if err != nil {
			return 0, err
		}
		if kb, err := pss(child); err == nil {
			total += kb
		}
	}
	return total, nil
}
