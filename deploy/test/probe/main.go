// Command probe does to a volume, inside a container without a shell, what the
// tests of the deployment need: probe fill FILE takes all the space that is left,
// probe free FILE gives it back, probe sum FILE… prints digests.
package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: probe fill|free|sum FILE…")
	}
	for _, path := range args[1:] {
		var err error
		switch args[0] {
		case "fill":
			err = fill(path)
		case "free":
			err = os.Remove(path)
		case "sum":
			err = sum(path)
		default:
			err = fmt.Errorf("there is no %q", args[0])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fill writes until nothing more fits.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	total, block := 0, make([]byte, 4096)
	for {
		n, err := f.Write(block)
		total += n
		if errors.Is(err, syscall.ENOSPC) {
			fmt.Printf("%s: %d bytes, then: %v\n", path, total, err)
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func sum(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	fmt.Printf("%x  %s\n", h.Sum(nil), path)
	return nil
}
