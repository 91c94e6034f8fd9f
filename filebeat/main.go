// Command filebeat is Filebeat OSS cut down to the one input that offspot-metrics uses.
//
// Comes in: the command line and filebeat.yml of the repository's root. Goes out: Filebeat's
// output, which filebeat.yml sends to standard output. Nothing of our own happens here: this
// program only chooses which of Filebeat's inputs are linked, so that those for clouds,
// containers, message queues and journals stay out.
package main

import (
	"os"

	"github.com/elastic/beats/v7/filebeat/beater"
	"github.com/elastic/beats/v7/filebeat/cmd"
	"github.com/elastic/beats/v7/filebeat/input/filestream"
	v2 "github.com/elastic/beats/v7/filebeat/input/v2"
	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/logp"
)

// onlyFiles is the list of inputs this Filebeat knows: files that grow, and no other.
func onlyFiles(_ beat.Info, log *logp.Logger, store beater.StateStore) []v2.Plugin {
	return []v2.Plugin{filestream.Plugin(log, store)}
}

func main() {
	if err := cmd.Filebeat(onlyFiles, cmd.FilebeatSettings()).Execute(); err != nil {
		os.Exit(1)
	}
}
