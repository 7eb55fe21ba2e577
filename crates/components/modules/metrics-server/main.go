// Command metrics-server is the metrics-server of its project, scraping kubelets as that does, but for one thing: it
// takes any --metric-resolution.
//
// The project's own wants at least 10 s. A case at pace "fast" runs 15 times as fast as it was recorded, so that 10 s
// are 0.67 s there; an autoscaler that saw its pods' CPU as seldom as every 10 s would be another experiment.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/pkg/version"
	"k8s.io/component-base/logs"
	"sigs.k8s.io/metrics-server/cmd/metrics-server/app/options"
)

// lowest is the least resolution that the project's own check lets through.
const lowest = 10 * time.Second

func main() {
	logs.InitLogs()
	defer logs.FlushLogs()
	if err := run(os.Args[1:]); err != nil {
		logs.FlushLogs()
		fmt.Fprintln(os.Stderr, "metrics-server:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	opts := options.NewOptions()
	flags := pflag.NewFlagSet("metrics-server", pflag.ContinueOnError)
	for _, set := range opts.Flags().FlagSets {
		flags.AddFlagSet(set)
	}
	switch err := flags.Parse(args); err {
	case nil:
	case pflag.ErrHelp:
		return nil
	default:
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	if opts.ShowVersion {
		fmt.Println(version.Get().GitVersion)
		return nil
	}
	resolution, err := relax(opts)
	if err != nil {
		return err
	}
	if errs := opts.Validate(); len(errs) > 0 {
		return errs[0]
	}
	config, err := opts.ServerConfig()
	if err != nil {
		return err
	}
	config.MetricResolution = resolution
	server, err := config.Complete()
	if err != nil {
		return err
	}
	return server.RunUntil(genericapiserver.SetupSignalHandler())
}

// relax checks the resolution as the project does, but for its lower bound, and puts that in its place where it is less,
// so that all else is checked by the project itself. It returns what was asked for.
func relax(opts *options.Options) (time.Duration, error) {
	resolution, timeout := opts.MetricResolution, opts.KubeletClient.KubeletRequestTimeout
	if resolution >= lowest {
		return resolution, nil
	}
	if resolution <= 0 {
		return 0, fmt.Errorf("--metric-resolution is %v and must be more than nothing", resolution)
	}
	if resolution*9/10 < timeout {
		return 0, fmt.Errorf("--kubelet-request-timeout (%v) must be at most 9/10 of --metric-resolution (%v)", timeout, resolution)
	}
	opts.MetricResolution = lowest
	return resolution, nil
}
