// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package bench measures what bounds a backup on the machine at hand: bytes
// through the hashes, the cipher and the compressor on one core, and files
// through lstat. How far the programs are from these limits is told in
// docs/performance.md; compare runs them beside a peer.
package bench
