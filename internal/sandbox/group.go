package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Groups are the control groups (cgroups(7)) of an installation: one for each
// site, which bounds the memory and the number of processes of all that runs
// for it, and gives every site the same share of the processor when it is
// scarce. They are made below the group of whoever starts the installation, so
// that its own bounds stay.
type Groups struct {
	// Bases are the directories below which each site has one, by controller;
	// with the unified hierarchy they are the same.
	Bases map[string]string `json:"bases"`
	// Unified tells version 2 from version 1.
	Unified bool `json:"unified"`
}

// What a site may use, all together.
const (
	defaultMemory = 512 << 20 // bytes
	defaultTasks  = 64        // processes and threads
)

// sitesShare is the weight of all sites together; that of one daemon is the
// kernel's own, and a site's within them too.
const sitesShare = 8

// The controllers that are used; a machine may do without the last.
var controllers = []string{"memory", "pids", "cpu"}

// ErrNoGroups means that the machine has no control groups that can be used.
var ErrNoGroups = errors.New("sandbox: no control groups for memory and processes are mounted here")

// NewGroups makes the groups of an installation, of which name is unique.
func NewGroups(name string) (*Groups, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	g := &Groups{Bases: map[string]string{}}
	for controller, dir := range parents(string(mounts), string(own)) {
		g.Bases[controller] = filepath.Join(dir, name)
	}
	if g.Bases["memory"] == "" || g.Bases["pids"] == "" {
		parent := unifiedParent(string(mounts), string(own))
		if parent == "" {
			return nil, ErrNoGroups
		}
		g.Unified = true
		for _, c := range controllers {
			g.Bases[c] = filepath.Join(parent, name)
		}
	}
	if err := g.prepare(); err != nil {
		return nil, errors.Join(err, g.Remove())
	}
	return g, nil
}

// prepare makes the directories of the installation.
func (g *Groups) prepare() error {
	for controller, base := range g.Bases {
		if err := os.Mkdir(base, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("sandbox: control groups: %w", err)
		}
		if controller != "cpu" {
			continue
		}
		name, usual := "cpu.shares", 1024
		if g.Unified {
			name, usual = "cpu.weight", 100
		}
		if err := set(base, name, strconv.Itoa(sitesShare*usual)); err != nil && !g.Unified {
			return err
		}
	}
	if !g.Unified {
		return nil
	}
	base := g.Bases["memory"]
	if err := set(base, "cgroup.subtree_control", "+memory +pids"); err != nil {
		return err
	}
	_ = set(base, "cgroup.subtree_control", "+cpu") // sites are then not weighed against each other
	return nil
}

// Of is the group of a site, made when it is not there: the directories that
// Command is to be given.
func (g *Groups) Of(site string, l Limits) ([]string, error) {
	memory, tasks := l.Memory, l.Tasks
	if memory == 0 {
		memory = defaultMemory
	}
	if tasks == 0 {
		tasks = defaultTasks
	}
	bytes, processes := strconv.FormatUint(memory, 10), strconv.FormatUint(tasks, 10)
	// The first of each controller must be there; the others are not on every
	// machine (swap that is not counted, no such controller).
	values := map[string][][2]string{
		"memory": {{"memory.limit_in_bytes", bytes}, {"memory.memsw.limit_in_bytes", bytes}},
		"pids":   {{"pids.max", processes}},
	}
	if g.Unified {
		values["memory"] = [][2]string{{"memory.max", bytes}, {"memory.swap.max", "0"}}
	}
	var dirs []string
	for _, controller := range controllers {
		base := g.Bases[controller]
		if base == "" {
			continue
		}
		dir := filepath.Join(base, site)
		err := os.Mkdir(dir, 0o755)
		if errors.Is(err, fs.ErrNotExist) { // somebody removed what prepare made
			if err = g.prepare(); err == nil {
				err = os.Mkdir(dir, 0o755)
			}
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("sandbox: control group of %s: %w", site, err)
		}
		for i, v := range values[controller] {
			if err := set(dir, v[0], v[1]); err != nil && i == 0 {
				return nil, err
			}
		}
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs, nil
}

// Drop removes the group of a site in which nothing runs; one in which
// something does stays.
func (g *Groups) Drop(site string) {
	for _, base := range g.Bases {
		_ = os.Remove(filepath.Join(base, site))
	}
}

// Starved is how many processes of a site's group the kernel has ended because
// the group had no more memory; none when that cannot be told.
func (g *Groups) Starved(site string) int {
	name := "memory.oom_control"
	if g.Unified {
		name = "memory.events"
	}
	text, err := os.ReadFile(filepath.Join(g.Bases["memory"], site, name))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if number, ok := strings.CutPrefix(line, "oom_kill "); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(number))
			return n
		}
	}
	return 0
}

// NoteStarved leaves word of it in a directory where whoever tells people looks:
// a file with the site's name.
func NoteStarved(dir, site string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, site), nil, 0o600)
}

// removeLimit is how long processes that have been killed may still be in a
// group.
const removeLimit = 2 * time.Second

// Remove removes all groups of the installation.
func (g *Groups) Remove() error {
	var errs []error
	for _, base := range g.Bases {
		entries, err := os.ReadDir(base)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		errs = append(errs, err)
		for _, e := range entries {
			if e.IsDir() {
				errs = append(errs, removeGroup(filepath.Join(base, e.Name())))
			}
		}
		errs = append(errs, removeGroup(base))
	}
	return errors.Join(errs...)
}

func removeGroup(dir string) error {
	for end := time.Now().Add(removeLimit); ; <-time.After(10 * time.Millisecond) {
		err := os.Remove(dir)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) || time.Now().After(end) {
			return err
		}
	}
}

// Save writes down where the groups are, for Command's other callers and for
// whoever cleans up.
func (g *Groups) Save(path string) error {
	text, err := json.Marshal(g)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// LoadGroups reads what Save wrote.
func LoadGroups(path string) (*Groups, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	g := &Groups{}
	if err := json.Unmarshal(text, g); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return g, nil
}

func set(dir, name, value string) error {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("sandbox: control groups: %w", err)
	}
	defer f.Close()
	if _, err := f.WriteString(value); err != nil {
		return fmt.Errorf("sandbox: control groups: %w", err)
	}
	return nil
}

// parents are the directories of this process's groups, by controller, with
// version 1; mounts is /proc/self/mountinfo, own /proc/self/cgroup.
func parents(mounts, own string) map[string]string {
	found := map[string]string{}
	for line := range strings.Lines(own) {
		// cgroups(7): hierarchy-ID:controller-list:cgroup-path
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for controller := range strings.SplitSeq(parts[1], ",") {
			if !slices.Contains(controllers, controller) {
				continue
			}
			if dir := mounted(mounts, "cgroup", controller, parts[2]); dir != "" {
				found[controller] = dir
			}
		}
	}
	return found
}

// mounted is the directory of a group, when a hierarchy of that type (and, for
// version 1, with that controller) is mounted and can be written to.
func mounted(mounts, kind, controller, group string) string {
	for line := range strings.Lines(mounts) {
		// proc_pid_mountinfo(5): root and mount point are the fields 4 and 5;
		// after the dash come type, source and the file system's options.
		before, after, _ := strings.Cut(strings.TrimSpace(line), " - ")
		fields, rest := strings.Fields(before), strings.Fields(after)
		if len(fields) < 6 || len(rest) < 3 || rest[0] != kind {
			continue
		}
		options := strings.Split(rest[2], ",")
		if controller != "" && !slices.Contains(options, controller) {
			continue
		}
		below, ok := strings.CutPrefix(group+"/", strings.TrimSuffix(fields[3], "/")+"/")
		if !ok {
			continue
		}
		dir := filepath.Join(fields[4], below)
		if unix.Access(dir, unix.W_OK) == nil {
			return dir
		}
	}
	return ""
}

// unifiedParent is where groups can be made with version 2: a group that holds
// processes cannot hand controllers to groups below it, so this is the nearest
// above our own that already does, or the root of all.
func unifiedParent(mounts, own string) string {
	for line := range strings.Lines(own) {
		group, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
		if !ok {
			continue
		}
		top := mounted(mounts, "cgroup2", "", "/")
		for dir := mounted(mounts, "cgroup2", "", group); dir != "" && strings.HasPrefix(dir, top); dir = filepath.Dir(dir) {
			if hands(dir) {
				return dir
			}
			if dir == top {
				_ = set(top, "cgroup.subtree_control", "+memory +pids +cpu") // only the real root can
				if hands(top) {
					return top
				}
				break
			}
		}
	}
	return ""
}

// hands reports whether groups below dir have what is needed.
func hands(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
	have := strings.Fields(string(text))
	return err == nil && slices.Contains(have, "memory") && slices.Contains(have, "pids")
}
