// Package sandbox is the one door into a site's world: it starts a program that
// sees its own home, the distribution's programs and nothing else of the
// machine, under the site's uid and without any privilege to gain another.
//
// What is visible is a list of what is allowed, on an empty root; what is not
// named here does not exist inside. It never decides what runs, never looks at
// a database, and keeps nothing running: the caller owns the process.
//
// The child is this very executable again, because mounts have to be made after
// the process has its own namespaces and before the program runs. Importing the
// package is enough for that (see child.go).
package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Home is where a site sees its home.
const Home = "/srv/site"

// Scratch are the folders of a home that programs write to all the time, and
// that hold nothing that lasts.
var Scratch = []string{"tmp", "sessions"}

// User is the name that the site's uid has inside.
const User = "site"

// Spec says what runs for a site, and what it sees besides the distribution's
// programs. Paths named From, Home and MariaDBSocketDir are the caller's; all
// others are as seen inside.
type Spec struct {
	Name string `json:"name"` // of the site, for messages only
	UID  uint32 `json:"uid"`
	GID  uint32 `json:"gid"`

	Home             string `json:"home"`                         // becomes Home
	MariaDBSocketDir string `json:"mariadb_socket_dir,omitempty"` // becomes /run/mysqld, read-only
	Binds            []Bind `json:"binds,omitempty"`

	// Names lead to Address inside, whatever the DNS says: a site that asks
	// itself reaches itself, behind a router and before its names are moved here.
	Names   []string   `json:"names,omitempty"`
	Address netip.Addr `json:"address,omitzero"`

	// Frozen shows the home read-only, because it takes too much room; what is
	// in Scratch can be written, in memory and within bounds.
	Frozen bool `json:"frozen,omitempty"`

	Program string   `json:"program"`        // absolute
	Args    []string `json:"args,omitempty"` // without the program's name
	Env     []string `json:"env,omitempty"`  // all of it
	Dir     string   `json:"dir,omitempty"`  // Home when empty

	// Init leaves a small process of ours as number 1, which passes signals on
	// and buries orphans. Programs that bury them, such as PHP-FPM, do without.
	Init bool `json:"init,omitempty"`

	// Offline leaves it no network: sockets in the file system are all that it
	// can connect to.
	Offline bool `json:"offline,omitempty"`

	Limits Limits `json:"limits,omitzero"`

	// Groups are the directories of the control group that it joins (Groups.Of);
	// none when the machine has none.
	Groups []string `json:"groups,omitempty"`
}

// Bind shows a file or a directory of the machine inside.
type Bind struct {
	From     string `json:"from"`
	To       string `json:"to"`
	ReadOnly bool   `json:"read_only,omitempty"`
}

// Limits are the resource limits (setrlimit(2)) of each process, and those of
// the site's control group; zero stands for the default.
type Limits struct {
	Processes uint64 `json:"processes,omitempty"` // of the uid, all together
	Files     uint64 `json:"files,omitempty"`     // open in one process
	Data      uint64 `json:"data,omitempty"`      // bytes of one process's own memory; zero is no bound

	Memory uint64 `json:"memory,omitempty"` // bytes, of the group
	Tasks  uint64 `json:"tasks,omitempty"`  // processes and threads, of the group
}

const (
	defaultProcesses = 100
	defaultFiles     = 2048
)

// lowestUID is the first uid that can belong to a site; below are the
// machine's own.
const lowestUID = 1000

// ReadSpec reads and checks a specification.
func ReadSpec(path string) (Spec, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Spec{}, fmt.Errorf("sandbox: %w", err)
	}
	var spec Spec
	if err := json.Unmarshal(data, &spec); err != nil {
		return Spec{}, fmt.Errorf("sandbox: %s: %w", path, err)
	}
	if err := spec.Check(); err != nil {
		return Spec{}, fmt.Errorf("sandbox: %s: %w", path, err)
	}
	return spec, nil
}

// Check refuses a specification that would open more than a site's world.
func (s Spec) Check() error {
	if s.UID < lowestUID || s.GID < lowestUID {
		return fmt.Errorf("uid %d, gid %d: not a site's", s.UID, s.GID)
	}
	for what, path := range map[string]string{"home": s.Home, "program": s.Program} {
		if !absolute(path) || path == "/" {
			return fmt.Errorf("%s %q: not an absolute path", what, path)
		}
	}
	if s.MariaDBSocketDir != "" && !absolute(s.MariaDBSocketDir) {
		return fmt.Errorf("socket directory %q: not an absolute path", s.MariaDBSocketDir)
	}
	if s.Dir != "" && !absolute(s.Dir) {
		return fmt.Errorf("directory %q: not an absolute path", s.Dir)
	}
	for _, dir := range s.Groups {
		if !absolute(dir) {
			return fmt.Errorf("control group %q: not an absolute path", dir)
		}
	}
	for _, b := range s.Binds {
		if !absolute(b.From) || b.From == "/" {
			return fmt.Errorf("bind from %q: not an absolute path", b.From)
		}
		if !absolute(b.To) || !strings.HasPrefix(b.To, "/run/") && !strings.HasPrefix(b.To, "/opt/") {
			return fmt.Errorf("bind to %q: only below /run and /opt", b.To)
		}
	}
	for _, name := range s.Names {
		if !s.Address.IsValid() || s.Address.Zone() != "" || name == "" || strings.ContainsFunc(name, notOfNames) {
			return fmt.Errorf("name %q at %v: not a host's", name, s.Address)
		}
	}
	for _, text := range append(append([]string{s.Program}, s.Args...), s.Env...) {
		if strings.IndexByte(text, 0) >= 0 {
			return errors.New("a zero byte in the command")
		}
	}
	return nil
}

func notOfNames(r rune) bool {
	return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789.-", r)
}

func absolute(path string) bool { return filepath.IsAbs(path) && filepath.Clean(path) == path }

// The child knows itself by its name, and what to do by this variable; only
// root can read the environment of a process of root.
const (
	childName   = "cancale-enter"
	specVar     = "CANCALE_SANDBOX"
	extraVar    = "CANCALE_SANDBOX_FILES"
	instanceVar = "CANCALE_INSTANCE"
)

// Command prepares a program to be started in the sandbox. extraFiles are its
// descriptors from 3 on. The caller sets the standard streams and must be root;
// when the thread that starts it ends, the program is killed (Pdeathsig), so
// start it from a thread that stays.
//
// The program is number 1 of its own process namespace: killing it kills all
// that it started.
func Command(spec Spec, extraFiles []*os.File) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{childName}
	if err := spec.Check(); err != nil {
		cmd.Err = fmt.Errorf("sandbox: %s: %w", spec.Name, err)
		return cmd
	}
	text, err := json.Marshal(spec)
	if err != nil {
		cmd.Err = fmt.Errorf("sandbox: %s: %w", spec.Name, err)
		return cmd
	}
	cmd.Env = []string{specVar + "=" + string(text), fmt.Sprintf("%s=%d", extraVar, len(extraFiles))}
	if id := os.Getenv(instanceVar); id != "" {
		cmd.Env = append(cmd.Env, instanceVar+"="+id)
	}
	cmd.ExtraFiles = extraFiles
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	if spec.Offline {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWNET
	}
	return cmd
}
