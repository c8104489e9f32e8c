package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
)

// inherited is the descriptor at which a daemon finds its listening socket.
const inherited = 3 // and those that follow, in the order of the service's files

// readSettings reads what the supervisor wrote for a daemon.
func readSettings(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// inheritedListener is the nth socket that the supervisor opened.
func inheritedListener(nth int) (net.Listener, error) {
	f := os.NewFile(uintptr(inherited+nth), "listener")
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("descriptor %d: %w (this command is started by cancale up)", inherited+nth, err)
	}
	return l, nil
}

// logJSON makes a daemon write its log, for machines, to standard error.
func logJSON() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
}
