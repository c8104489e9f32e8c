package host

import (
	"os"
	"strconv"
	"strings"
)

// Memory is how much of this machine's memory programs can still have, and how
// much there is, in bytes.
func Memory() (free, total uint64, err error) {
	values, err := Keyed("/proc/meminfo")
	return uint64(values["MemAvailable"]), uint64(values["MemTotal"]), err
}

// Keyed reads lines of proc(5) such as "MemTotal:  2048 kB", in bytes.
func Keyed(path string) (map[string]float64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	values := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		number, unit, _ := strings.Cut(strings.TrimSpace(rest), " ")
		n, err := strconv.ParseFloat(number, 64)
		if err != nil {
			continue
		}
		if unit == "kB" {
			n *= 1024
		}
		values[name] = n
	}
	return values, nil
}
