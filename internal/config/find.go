package config

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// SystemFile says where the installed system lives: lines of KEY=value, of
// which DATA is the directory.
const SystemFile = "/etc/cancale/cancale.conf"

// ErrNowhere means that nothing says which installation is meant.
var ErrNowhere = errors.New("config: no installation is named")

// Find is the layout of the installation in the directory data; when data is
// empty, of the one that file names. Whether anything is there is not its
// question.
func Find(data, file string) (Layout, error) {
	if data == "" {
		settings, err := readSettings(file)
		if errors.Is(err, fs.ErrNotExist) {
			return Layout{}, ErrNowhere
		}
		if err != nil {
			return Layout{}, fmt.Errorf("config: %w", err)
		}
		if data = settings["DATA"]; data == "" {
			return Layout{}, fmt.Errorf("config: %s: it has no line DATA=", file)
		}
	}
	root, err := filepath.Abs(data)
	if err != nil {
		return Layout{}, fmt.Errorf("config: %w", err)
	}
	return Layout{Root: root}, nil
}

// readSettings reads lines of KEY=value. A value may stand in quotes; lines
// that begin with # say nothing.
func readSettings(file string) (map[string]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	settings := map[string]string{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, found := strings.Cut(line, "=")
		if !found {
			return nil, fmt.Errorf("%s:%d: not KEY=value", file, n)
		}
		value = strings.TrimSpace(value)
		if len(value) >= 2 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0] {
			value = value[1 : len(value)-1]
		}
		settings[strings.TrimSpace(key)] = value
	}
	return settings, lines.Err()
}
