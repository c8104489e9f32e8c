package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// init is where a child of Command ends: it never reaches main. It is here, and
// not in main, because Go initialises packages in the order of their paths: at
// this moment neither the panel's packages nor the database's have done
// anything yet, which is a third of the time to the first PHP answer; and every
// test binary that imports the package can start sandboxes.
func init() {
	switch {
	case len(os.Args) == 0:
	case os.Args[0] == childName:
		runtime.LockOSThread() // credentials, capabilities and filters belong to a thread
		err := enter()
		fmt.Fprintln(os.Stderr, "cancale enter: "+err.Error())
		os.Exit(exitSandbox)
	case os.Args[0] == initName:
		runInit()
	}
}

// exitSandbox is the status of a program that could not be started.
const exitSandbox = 126

// enter makes the sandbox around this process and becomes the program. It
// returns only when that fails.
func enter() error {
	var spec Spec
	if err := json.Unmarshal([]byte(os.Getenv(specVar)), &spec); err != nil {
		return fmt.Errorf("specification: %w", err)
	}
	if err := spec.Check(); err != nil {
		return err
	}
	extra, err := strconv.Atoi(os.Getenv(extraVar))
	if err != nil {
		return fmt.Errorf("number of files: %w", err)
	}
	env := spec.Env
	if id := os.Getenv(instanceVar); id != "" {
		env = append(env, instanceVar+"="+id)
	}
	self, err := unix.Open("/proc/self/exe", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("own executable: %w", err)
	}
	groups, err := openGroups(spec.Groups) // the new root shows none of them
	if err != nil {
		return fmt.Errorf("%s: %w", spec.Name, err)
	}
	if err := makeRoot(spec); err != nil {
		return fmt.Errorf("%s: %w", spec.Name, err)
	}
	if err := join(groups); err != nil {
		return fmt.Errorf("%s: %w", spec.Name, err)
	}
	if err := limit(spec.Limits); err != nil {
		return fmt.Errorf("%s: %w", spec.Name, err)
	}
	unix.Umask(0o022)
	// Whatever else is open here ends with the exec.
	if err := unix.CloseRange(uint(3+extra), 1<<31-1, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("%s: close descriptors: %w", spec.Name, err)
	}
	if err := drop(spec.UID, spec.GID); err != nil {
		return fmt.Errorf("%s: %w", spec.Name, err)
	}
	dir := spec.Dir
	if dir == "" {
		dir = Home
	}
	if err := unix.Chdir(dir); err != nil { // as the site: what it may not enter, it does not start in
		return fmt.Errorf("%s: directory %s: %w", spec.Name, dir, err)
	}
	argv := append([]string{spec.Program}, spec.Args...)
	if spec.Init {
		return fmt.Errorf("%s: init: %w", spec.Name, execDescriptor(self, append([]string{initName, strconv.Itoa(extra)}, argv...), env))
	}
	return fmt.Errorf("%s: %s: %w", spec.Name, spec.Program, syscall.Exec(spec.Program, argv, env))
}

// openGroups opens what a process joins each control group by.
func openGroups(dirs []string) ([]int, error) {
	var fds []int
	for _, dir := range dirs {
		fd, err := unix.Open(dir+"/cgroup.procs", unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("control group %s: %w", dir, err)
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

// join puts this process into control groups.
func join(fds []int) error {
	for _, fd := range fds {
		if _, err := unix.Write(fd, []byte("0")); err != nil {
			return fmt.Errorf("control group: %w", err)
		}
	}
	return nil
}

// limit sets the resource limits that the program inherits.
func limit(l Limits) error {
	processes, files := l.Processes, l.Files
	if processes == 0 {
		processes = defaultProcesses
	}
	if files == 0 {
		files = defaultFiles
	}
	for _, r := range []struct {
		name     string
		resource int
		value    uint64
	}{
		{"processes", unix.RLIMIT_NPROC, processes},
		{"open files", unix.RLIMIT_NOFILE, files},
		{"core size", unix.RLIMIT_CORE, 0},
		{"file size", unix.RLIMIT_FSIZE, unix.RLIM_INFINITY},
	} {
		if err := unix.Setrlimit(r.resource, &unix.Rlimit{Cur: r.value, Max: r.value}); err != nil {
			return fmt.Errorf("limit of %s: %w", r.name, err)
		}
	}
	if l.Data > 0 {
		if err := unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: l.Data, Max: l.Data}); err != nil {
			return fmt.Errorf("limit of memory: %w", err)
		}
	}
	return nil
}

// drop turns the calling thread into the site: no group besides its own, no
// capability now or later, no way to gain one, a filter of system calls. The
// exec that follows ends all other threads.
func drop(uid, gid uint32) error {
	// A session keyring of its own: root's must not be reached through it.
	// Kernels without keyrings have none to protect.
	if _, err := unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0); err != nil && !errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("keyring: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	for c := uintptr(0); ; c++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		if errors.Is(err, unix.EINVAL) && c > unix.CAP_SYS_ADMIN { // past the last one that this kernel knows
			break
		}
		if err != nil {
			return fmt.Errorf("capability %d: %w", c, err)
		}
	}
	// Raw calls: Go's own wrappers would change every thread of a process that
	// is about to have only this one.
	if _, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); e != 0 {
		return fmt.Errorf("setgroups: %w", e)
	}
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESGID, uintptr(gid), uintptr(gid), uintptr(gid)); e != 0 {
		return fmt.Errorf("setresgid: %w", e)
	}
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); e != 0 {
		return fmt.Errorf("setresuid: %w", e)
	}
	// capabilities(7): leaving uid 0 clears the permitted, effective and
	// ambient sets, not the inheritable one.
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		return fmt.Errorf("capset: %w", err)
	}
	if err := filterSystemCalls(); err != nil {
		return fmt.Errorf("filter of system calls: %w", err)
	}
	// prctl(2): the signal is cleared by a change of uid.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("death signal: %w", err)
	}
	return nil
}

// execDescriptor is execveat(2) of an open file: this executable has no path
// inside the sandbox.
func execDescriptor(fd int, argv, env []string) error {
	empty, err := unix.BytePtrFromString("")
	if err != nil {
		return err
	}
	args, err := syscall.SlicePtrFromStrings(argv)
	if err != nil {
		return err
	}
	vars, err := syscall.SlicePtrFromStrings(env)
	if err != nil {
		return err
	}
	return execveat(fd, empty, args, vars)
}

// initName is what number 1 of a sandbox with Spec.Init is called.
const initName = "cancale-init"

// runInit is number 1 of a sandbox: it starts the program that its arguments
// name (the number of extra descriptors, then the command), passes signals on,
// buries every orphan, and ends as the program ended. It is the site's own
// process, without any privilege.
func runInit() {
	extra, err := strconv.Atoi(os.Args[1])
	if err != nil {
		os.Exit(exitSandbox)
	}
	// The terminal sends these to the whole group: they are the program's.
	signal.Ignore(unix.SIGINT, unix.SIGQUIT)
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGTERM, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2)
	files := make([]uintptr, 3+extra)
	for i := range files {
		files[i] = uintptr(i)
	}
	pid, err := syscall.ForkExec(os.Args[2], os.Args[2:], &syscall.ProcAttr{Env: os.Environ(), Files: files})
	if err != nil {
		fmt.Fprintf(os.Stderr, "cancale enter: %s: %v\n", os.Args[2], err)
		os.Exit(exitSandbox)
	}
	go func() {
		for s := range signals {
			_ = syscall.Kill(pid, s.(syscall.Signal)) // it may just have ended; then so do we
		}
	}()
	for {
		var status syscall.WaitStatus
		child, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.EINTR || err == nil && child != pid:
		case err != nil:
			os.Exit(exitSandbox)
		case status.Signaled():
			os.Exit(128 + int(status.Signal()))
		default:
			os.Exit(status.ExitStatus())
		}
	}
}
