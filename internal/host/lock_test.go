package host

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// lockVar names the file that a process locks which then starts programs until
// it kills itself.
const lockVar = "HOST_TEST_LOCK"

func init() {
	path := os.Getenv(lockVar)
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = Lock(f)
	}
	if err != nil {
		os.Exit(3)
	}
	for range 4 {
		go func() {
			for {
				_ = exec.Command("/bin/true").Run()
			}
		}()
	}
	time.Sleep(20 * time.Millisecond)
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// TestALockOutlivesNobody takes the lock of processes that are killed while they
// start programs, one after the other; one that lives keeps it.
func TestALockOutlivesNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	for range 30 {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), lockVar+"="+path)
		err := cmd.Run()
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() == 3 {
			t.Fatalf("the one before still has it: %v", err)
		}
	}
	open := func() *os.File {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	held := open()
	if err := Lock(held); err != nil {
		t.Fatal(err)
	}
	if err := Lock(open()); !errors.Is(err, ErrLocked) {
		t.Errorf("two have the lock: %v", err)
	}
}
