package supervise

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// instanceVar is in the environment of every process of an installation, by
// which the next supervisor finds what a killed one left running.
const instanceVar = "CANCALE_INSTANCE"

// leftoverLimit is how long killed processes may take to be gone: one that
// waits for a disk ends when the disk has answered.
const leftoverLimit = 20 * time.Second

// EndLeftovers kills the processes of an earlier run of the instance, and
// returns how many there were once they are gone.
func EndLeftovers(instance string) (int, error) {
	ended := map[int]bool{}
	for deadline := time.Now().Add(leftoverLimit); ; <-time.After(probeEvery) {
		pids, err := processesOf(instance)
		if err != nil {
			return len(ended), err
		}
		if len(pids) == 0 {
			return len(ended), nil
		}
		if time.Now().After(deadline) {
			return len(ended), fmt.Errorf("processes of an earlier run do not end: %v", pids)
		}
		for _, pid := range pids {
			ended[pid] = true
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended meanwhile
		}
	}
}

// processesOf are the living processes of an instance, without this one.
func processesOf(instance string) ([]int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil, err
	}
	want := []byte(instanceVar + "=" + instance)
	var pids []int
	for _, file := range files {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil || pid == os.Getpid() {
			continue
		}
		environ, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended; a process that has ended but is not reaped has no environment
		}
		for entry := range bytes.SplitSeq(environ, []byte{0}) {
			if bytes.Equal(entry, want) {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids, nil
}
