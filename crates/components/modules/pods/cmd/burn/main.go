// Command burn is the program of a case's pods that need one: it uses CPU for a while after it starts, then idles, and
// takes its time to end.
//
// The container's limit caps what it uses, as it did in the study.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	burst := flag.Duration("for", 0, "how long one CPU is used")
	death := flag.Duration("die-after", 0, "how long it goes on after SIGTERM")
	flag.Parse()
	if flag.NArg() > 0 || *burst < 0 || *death < 0 {
		fmt.Fprintln(os.Stderr, "usage: burn [-for DURATION] [-die-after DURATION]")
		os.Exit(2)
	}
	// Process 1 of a container gets no signal that it has not asked for.
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGINT, syscall.SIGTERM)
	go burn(time.Now().Add(*burst))
	<-asked
	// A timer, so that it still burns when it is asked to end early.
	time.Sleep(*death)
}

// burn keeps one CPU busy until a time: in stretches that are long against the reading of a clock and short against a
// second.
func burn(end time.Time) {
	for x := uint32(1); time.Now().Before(end); {
		for range 1 << 16 {
			x ^= x << 13
			x ^= x >> 17
			x ^= x << 5
		}
		if x == 0 {
			panic("xorshift never comes to 0")
		}
	}
}
