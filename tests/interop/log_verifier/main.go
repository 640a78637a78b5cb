// Command log_verifier asks Go libraries that others wrote what they think of a log.
//
//	log_verifier log LIBRARY LOG KEY [QUORUM WITNESS_KEY...]
//	    tessera     fsck: checkpoint, every entry bundle, every tile, the root
//	    torchwood   checkpoint, cosignatures, every entry through authenticated tiles
//	log_verifier proofs LIBRARY < CASES
//	    merkle      transparency-dev/merkle, of the Certificate Transparency logs
//	    sumdb       golang.org/x/mod/sumdb/tlog, of the go command
//	log_verifier tlog-proof torchwood LEAF_HASH KEY [QUORUM WITNESS_KEY...] < FILE
//
// LOG is a directory or an http URL with C2SP's tiles under it, a KEY a verifier key,
// QUORUM how many of the witnesses must have cosigned. `log` prints what it read as
// JSON. CASES is a JSON list of RFC 6962 proofs, the answer a list of the reasons to
// refuse each, empty where it is accepted. Exit status: 0 accepted, 1 refused (why on
// stderr), 2 misuse, 3 no end in a minute. log_verifier.py beside this folder is the
// same for Python.
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"filippo.io/torchwood"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const deadline = 60 * time.Second

// fsckWorkers are more than there will be wrong tiles: each wrong tile ends one, and
// Tessera's fsck waits for ever when none is left.
const fsckWorkers = 64

var errMisuse = errors.New("usage: log_verifier log|proofs|tlog-proof LIBRARY ...")

func main() {
	time.AfterFunc(deadline, func() {
		fmt.Fprintln(os.Stderr, "not done in", deadline)
		os.Exit(3)
	})
	err := run(context.Background(), os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	switch {
	case errors.Is(err, errMisuse):
		os.Exit(2)
	case err != nil:
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	if len(arguments) < 2 {
		return errMisuse
	}
	rest := arguments[2:]
	switch what := strings.Join(arguments[:2], " "); {
	case what == "log tessera" && len(rest) == 2:
		return fsckLog(ctx, rest[0], rest[1])
	case what == "log torchwood" && len(rest) >= 2:
		return readLog(ctx, rest[0], rest[1:])
	case what == "proofs merkle":
		return judgeProofs(proofCase.judgeByMerkle)
	case what == "proofs sumdb":
		return judgeProofs(proofCase.judgeBySumdb)
	case what == "tlog-proof torchwood" && len(rest) >= 2:
		return judgeTlogProof(rest[0], rest[1:])
	}
	return errMisuse
}

// A report is what a library read of a log that it accepted.
type report struct {
	Origin    string     `json:"origin"`
	Size      uint64     `json:"size"`
	Root      []byte     `json:"root"`
	Cosigners []cosigner `json:"cosigners"`
}

type cosigner struct {
	Name        string `json:"name"`
	TimeSeconds int64  `json:"time_seconds"`
}

// fsckLog rebuilds the tree from the entries and compares every tile.
func fsckLog(ctx context.Context, log, key string) error {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return err
	}
	source, err := tesseraSource(log)
	if err != nil {
		return err
	}
	origin := verifier.Name()
	head, signed, _, err := client.FetchCheckpoint(ctx, source.ReadCheckpoint, verifier, origin)
	if err != nil {
		return err
	}
	fixed := fixedHead{source, signed}
	err = fsck.New(origin, verifier, fixed, leafHashes, fsck.Opts{N: fsckWorkers}).Check(ctx)
	if err != nil {
		return err
	}
	return print(report{head.Origin, head.Size, head.Hash, []cosigner{}})
}

// A fixedHead is a log as it was at one checkpoint: one that is running grows.
type fixedHead struct {
	fsck.Fetcher
	signed []byte
}

func (f fixedHead) ReadCheckpoint(context.Context) ([]byte, error) {
	return f.signed, nil
}

func tesseraSource(log string) (fsck.Fetcher, error) {
	if !isURL(log) {
		return client.FileFetcher{Root: log}, nil
	}
	root, err := url.Parse(log)
	if err != nil {
		return nil, err
	}
	return client.NewHTTPFetcher(root, nil)
}

func leafHashes(bundle []byte) ([][]byte, error) {
	var entries api.EntryBundle
	if err := entries.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	var hashes [][]byte
	for _, entry := range entries.Entries {
		hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(entry))
	}
	return hashes, nil
}

// readLog reads every entry; the client checks each against the checkpoint.
func readLog(ctx context.Context, log string, keys []string) error {
	policy, err := policyOf(keys)
	if err != nil {
		return err
	}
	tiles, err := torchwoodSource(log)
	if err != nil {
		return err
	}
	signed, err := tiles.ReadEndpoint(ctx, "checkpoint")
	if err != nil {
		return err
	}
	head, opened, err := torchwood.VerifyCheckpoint(signed, policy)
	if err != nil {
		return err
	}
	reader, err := torchwood.NewClient(tiles)
	if err != nil {
		return err
	}
	var count int64
	for range reader.AllEntries(ctx, head.Tree, 0) {
		count++
	}
	if err := reader.Err(); err != nil {
		return err
	}
	if count != head.N {
		return fmt.Errorf("%d entries read of %d", count, head.N)
	}
	cosigners, err := cosignersOf(opened, head.Origin)
	if err != nil {
		return err
	}
	return print(report{head.Origin, uint64(head.N), head.Hash[:], cosigners})
}

func torchwoodSource(log string) (torchwood.TileReader, error) {
	if isURL(log) {
		return torchwood.NewTileFetcher(log)
	}
	return torchwood.NewTileFS(os.DirFS(log))
}

func cosignersOf(opened *note.Note, origin string) ([]cosigner, error) {
	cosigners := []cosigner{}
	for _, signature := range opened.Sigs {
		if signature.Name == origin {
			continue
		}
		seconds, err := torchwood.CosignatureTimestamp(signature)
		if err != nil {
			return nil, err
		}
		cosigners = append(cosigners, cosigner{signature.Name, seconds})
	}
	return cosigners, nil
}

// policyOf writes KEY [QUORUM WITNESS_KEY...] as a C2SP policy and has it parsed.
func policyOf(keys []string) (torchwood.Policy, error) {
	text := "log " + keys[0] + "\n"
	if len(keys) < 3 {
		return torchwood.ParsePolicy([]byte(text + "quorum none\n"))
	}
	var names []string
	for place, key := range keys[2:] {
		name := fmt.Sprintf("witness%d", place)
		text += "witness " + name + " " + key + "\n"
		names = append(names, name)
	}
	text += "group enough " + keys[1] + " " + strings.Join(names, " ") + "\n"
	return torchwood.ParsePolicy([]byte(text + "quorum enough\n"))
}

// A proofCase is an inclusion proof if it has a leaf hash, else a consistency proof.
type proofCase struct {
	Index   uint64   `json:"index"`
	Leaf    []byte   `json:"leaf"`
	OldSize uint64   `json:"old_size"`
	OldRoot []byte   `json:"old_root"`
	Size    uint64   `json:"size"`
	Root    []byte   `json:"root"`
	Path    [][]byte `json:"path"`
}

func judgeProofs(judge func(proofCase) error) error {
	var cases []proofCase
	if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil {
		return fmt.Errorf("%w: %w", errMisuse, err)
	}
	reasons := make([]string, len(cases))
	for place, one := range cases {
		if err := judge(one); err != nil {
			reasons[place] = err.Error()
		}
	}
	return print(reasons)
}

func (c proofCase) judgeByMerkle() error {
	hasher := rfc6962.DefaultHasher
	if c.Leaf != nil {
		return proof.VerifyInclusion(hasher, c.Index, c.Size, c.Leaf, c.Path, c.Root)
	}
	return proof.VerifyConsistency(hasher, c.OldSize, c.Size, c.Path, c.OldRoot, c.Root)
}

func (c proofCase) judgeBySumdb() error {
	path := make([]tlog.Hash, len(c.Path))
	for place, octets := range c.Path {
		if len(octets) != tlog.HashSize {
			return fmt.Errorf("hash %d has %d octets", place, len(octets))
		}
		path[place] = tlog.Hash(octets)
	}
	size, root := int64(c.Size), tlog.Hash(c.Root)
	if c.Leaf != nil {
		return tlog.CheckRecord(path, size, root, int64(c.Index), tlog.Hash(c.Leaf))
	}
	return tlog.CheckTree(path, size, root, int64(c.OldSize), tlog.Hash(c.OldRoot))
}

func judgeTlogProof(leafHash string, keys []string) error {
	policy, err := policyOf(keys)
	if err != nil {
		return err
	}
	leaf, err := base64.StdEncoding.DecodeString(leafHash)
	if err != nil || len(leaf) != tlog.HashSize {
		return errMisuse
	}
	file, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	return torchwood.VerifyProof(policy, tlog.Hash(leaf), file)
}

func isURL(log string) bool {
	return strings.HasPrefix(log, "http://")
}

func print(value any) error {
	return json.NewEncoder(os.Stdout).Encode(value)
}
