//go:build tools

// Package components pins what kubeclash builds as its nodes' crictl.
package components

import _ "sigs.k8s.io/cri-tools/cmd/crictl"
