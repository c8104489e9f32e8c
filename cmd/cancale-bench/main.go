// Command cancale-bench measures the figures that Cancale promises, on a real
// private installation that it makes, and prints each beside its floor: the
// bare daemon doing the same in the same run, so that a slow machine does not
// change the ratio.
//
// It never asserts: figures that fail by noise teach people to ignore them.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	binary := flag.String("cancale", "bin/cancale", "the binary to measure")
	only := flag.String("only", "", "comma-separated parts: up, live, batch, php, panel, resync, bound, memory (all of them when empty); ftp, which only its name asks for, or of it ftp:download, ftp:upload, ftp:small, ftp:list, ftp:rest, ftp:login, sftp")
	sizes := flag.String("sites", "10,1000,10000", "numbers of sites to measure at")
	if len(os.Args) > 3 && os.Args[1] == enterPeer {
		fmt.Fprintln(os.Stderr, becomePeer(os.Args[2], os.Args[3:]))
		os.Exit(1)
	}
	flag.Parse()
	if err := run(ctx, *binary, *only, *sizes); err != nil {
		fmt.Fprintln(os.Stderr, "cancale-bench:", err)
		os.Exit(1)
	}
}

// run measures part after part; the installation grows from size to size.
func run(ctx context.Context, binary, only, sizes string) error {
	wanted := func(part string) bool { return only == "" || slices.Contains(strings.Split(only, ","), part) }
	in, err := install(ctx, binary)
	if err != nil {
		return err
	}
	defer in.remove()
	if strings.HasPrefix(only, "ftp") || strings.HasPrefix(only, "sftp") {
		return in.measureFTP(ctx, strings.Split(only, ","))
	}
	if wanted("up") {
		if err := in.measureUp(ctx); err != nil {
			return err
		}
	}
	if wanted("php") {
		if err := in.measurePHP(ctx); err != nil {
			return err
		}
	}
	for size := range strings.SplitSeq(sizes, ",") {
		var n int
		if _, err := fmt.Sscan(size, &n); err != nil {
			return fmt.Errorf("--sites: %w", err)
		}
		if err := in.grow(ctx, n, wanted("batch")); err != nil {
			return err
		}
		if wanted("live") {
			if err := in.measureLive(ctx, n); err != nil {
				return err
			}
		}
		if wanted("resync") {
			if err := in.measureResync(ctx, n); err != nil {
				return err
			}
		}
		if wanted("bound") {
			if err := in.measureBound(ctx, n); err != nil {
				return err
			}
		}
		if wanted("memory") {
			if err := in.measureMemory(n); err != nil {
				return err
			}
		}
		if wanted("panel") {
			if err := in.measurePanel(ctx, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// report prints one figure.
func report(what string, format string, args ...any) {
	fmt.Printf("%-58s %s\n", what, fmt.Sprintf(format, args...))
}

// median is the middle of some durations.
func median(d []time.Duration) time.Duration { return quantile(d, 0.5) }

// quantile is the smallest duration that q of all do not exceed.
func quantile(d []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(d))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// ms is a duration for people.
func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }
