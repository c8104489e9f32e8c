package store_test

import (
	"os"
	"testing"

	"cancale/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }
