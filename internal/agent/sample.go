package agent

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"cancale/internal/config"
	"cancale/internal/ftplink"
	"cancale/internal/host"
	"cancale/internal/hosting"
)

const (
	sampleEvery = time.Minute
	// sampleFirst is when the first sample is taken: at once would tell of the
	// start only.
	sampleFirst = 10 * time.Second
	sampleWait  = 5 * time.Second // for what another daemon has to say
	// mostMeasured bounds the processes whose memory is added up each minute:
	// the kernel walks through all pages of each.
	mostMeasured = 200
)

// sample notes each minute how the machine is, until ctx ends.
func (a *agent) sample(ctx context.Context) {
	wait := sampleFirst
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		began := time.Now()
		numbers, err := a.measureMachine(ctx)
		if err == nil {
			err = a.cfg.Store.AddSample(ctx, hosting.Sample{At: began, Numbers: numbers})
		}
		if err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "no sample", slog.Any("cause", err))
		}
		wait = time.Until(began.Truncate(sampleEvery).Add(sampleEvery + time.Second))
	}
}

// measureMachine measures what can be measured; what cannot is left out.
func (a *agent) measureMachine(ctx context.Context) (map[string]float64, error) {
	numbers, err := a.cfg.Store.Load(ctx)
	if err != nil {
		return nil, err
	}
	l := a.cfg.Layout
	numbers[hosting.SampleCores] = float64(runtime.NumCPU())
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		first, _, _ := strings.Cut(string(text), " ")
		if load, err := strconv.ParseFloat(first, 64); err == nil {
			numbers[hosting.SampleLoad] = load
		}
	}
	if free, total, err := host.Memory(); err == nil {
		numbers[hosting.SampleMemory] = float64(total)
		numbers[hosting.SampleMemoryUsed] = float64(total - free)
	}
	var fs unix.Statfs_t
	if unix.Statfs(l.Root, &fs) == nil {
		numbers[hosting.SampleDisk] = float64(fs.Blocks) * float64(fs.Bsize)
		numbers[hosting.SampleDiskUsed] = float64(fs.Blocks-fs.Bfree) * float64(fs.Bsize)
	}
	var sessions []hosting.LiveSession
	ctx, cancel := context.WithTimeout(ctx, sampleWait)
	defer cancel()
	if err := ftplink.NewClient(l.FTPSocket()).Call(ctx, hosting.System("agent"), "GET", "/sessions", nil, nil, &sessions); err == nil {
		numbers[hosting.SampleFTP] = float64(len(sessions))
	}
	numbers[hosting.SampleWeb] = float64(connections(a.cfg.Apache.HTTPPort, a.cfg.Apache.HTTPSPort))
	if status, err := config.ReadStatus(l); err == nil {
		measureServices(status, numbers)
	}
	return numbers, nil
}

// established is the state of a connection in /proc/net/tcp (tcp_states.h).
const established = "01"

// connections counts those to some ports of this machine.
func connections(ports ...int) int {
	n := 0
	for _, path := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			fields := bytes.Fields(lines.Bytes())
			if len(fields) < 4 || string(fields[3]) != established {
				continue
			}
			_, local, _ := strings.Cut(string(fields[1]), ":")
			if port, err := strconv.ParseUint(local, 16, 16); err == nil && slices.Contains(ports, int(port)) {
				n++
			}
		}
		_ = f.Close()
	}
	return n
}

// php is the service that what is left among our processes belongs to.
const php = "php"

// measureServices adds up the memory of the processes of each service, and
// counts those of PHP: descendants of the supervisor that are of no service.
func measureServices(status config.Status, numbers map[string]float64) {
	parents := map[int]int{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return
	}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			if parent, ok := parentOf(pid); ok {
				parents[pid] = parent
			}
		}
	}
	services := map[int]string{status.PID: ""}
	for _, s := range status.Services {
		if s.PID > 0 {
			services[s.PID] = s.Name
		}
	}
	numbers[hosting.SamplePHP] = 0
	measured := 0
	for pid := range parents {
		name := serviceOf(pid, parents, services)
		if name == "" {
			continue
		}
		if name == php {
			numbers[hosting.SamplePHP]++
		}
		if measured++; measured > mostMeasured {
			continue
		}
		if rollup, err := host.Keyed(fmt.Sprintf("/proc/%d/smaps_rollup", pid)); err == nil {
			numbers[hosting.SamplePSS+name] += rollup["Pss"]
		}
	}
}

// parentOf reads the fourth field of stat (proc(5)), behind a name that may
// hold anything.
func parentOf(pid int) (int, bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 2 {
		return 0, false
	}
	parent, err := strconv.Atoi(string(fields[1]))
	return parent, err == nil
}

// serviceOf is the service that a process descends from, "" for none of ours.
func serviceOf(pid int, parents map[int]int, services map[int]string) string {
	for at, steps := pid, 0; at > 1 && steps < 64; at, steps = parents[at], steps+1 {
		name, ours := services[at]
		switch {
		case ours && name != "":
			return name
		case ours && at == pid:
			return "" // the supervisor itself
		case ours:
			return php
		}
	}
	return ""
}
