/* SPDX-License-Identifier: Apache-2.0
 *
 * argv → a command. */
#include "common/file.h"
#include "server/command/command.h"

#define REMOTE_HELP \
	"  --server URL          the registry (default: $LARDER_SERVER, or http://127.0.0.1:8080)\n" \
	"  --token TOKEN         the token to send (default: $LARDER_TOKEN)\n" \
	"  --token-file FILE     the file that holds it\n"

static const struct command commands[] = {
	{"serve", "run the daemon",
		"usage: larder serve [--config FILE] [--listen ADDRESS:PORT] [--data DIR] [--offline] "
		"[--check]\n\n"
		"Serves, mirrors and takes modules. Prints \"listening on http://...\" once it is ready.\n\n"
		"  --config FILE          read this configuration; without one the defaults count\n"
		"  --listen ADDRESS:PORT  listen there; port 0 takes a free one (default: 127.0.0.1:8080)\n"
		"  --data DIR             keep everything in this folder (default: larder-data)\n"
		"  --offline              never ask an upstream\n"
		"  --check                read the configuration, report all of its faults, and end\n",
		command_serve},
	{"token", "create, list and revoke tokens",
		"usage: larder token create NAME --scope SCOPE... [--expires TIME] [--config FILE] [--data "
		"DIR]\n"
		"       larder token list [--json] [--config FILE] [--data DIR]\n"
		"       larder token revoke NAME [--config FILE] [--data DIR]\n\n"
		"A new token is printed once, alone on standard output; only its hash is kept. Works on the "
		"data\n"
		"folder itself, whether a daemon runs on it or not.\n\n"
		"  --scope SCOPE    what it may do; may be given several times:\n"
		"                     read             read, where that takes a token; every token may\n"
		"                     publish:GLOB     publish modules whose handle matches, such as "
		"publish:acme/*\n"
		"                     withdraw:GLOB    withdraw them\n"
		"                     admin            everything\n"
		"  --expires TIME   such as 90d, 12h or 30m; without it the token does not expire\n"
		"  --json           print JSON\n"
		"  --config FILE    the configuration that names the data folder\n"
		"  --data DIR       the data folder (default: larder-data)\n",
		command_token},
	{"pack", "make a reproducible archive of a folder",
		"usage: larder pack DIR -o FILE [--dereference] [--format FORMAT]\n\n"
		"Packs a module's folder canonically: the same files give the same bytes. The archive is\n"
		"then held against the rules for publishing; FILE is written only where it keeps them.\n\n"
		"  -o, --output FILE   the archive, such as module.tar.gz\n"
		"  --dereference       pack what symbolic links lead to, also out of DIR (caches of Hugging\n"
		"                      Face, DVC and Bazel are made of links); without it they are refused\n"
		"  --format FORMAT     tf-hub or tfjs (default: tfjs where there is a model.json and no\n"
		"                      SavedModel)\n",
		command_pack},
	{"publish", "send a module to a registry",
		"usage: larder publish DIR|FILE URL [--dereference] [--documentation FILE.md]\n"
		"                      [--format FORMAT] [--json] [--token TOKEN | --token-file FILE]\n\n"
		"Sends a module and prints what the registry saw in it. A folder is packed first. URL is\n"
		"the version's, such as http://127.0.0.1:8080/acme/half-plus-two/1; without http:// it is a\n"
		"path on the server.\n\n"
		"  --dereference         pack what DIR's symbolic links lead to, also out of DIR\n"
		"  --documentation FILE  send this Markdown afterwards\n"
		"  --format FORMAT       tf-hub, tfjs, tflite or coral (default: by what DIR or FILE holds)\n"
		"  --json                print the version as JSON\n" REMOTE_HELP,
		command_publish},
	{"list", "list modules, or search them",
		"usage: larder list [QUERY] [FILTER...] [--sort ORDER] [--json]\n"
		"                   [--server URL] [--token TOKEN | --token-file FILE]\n\n"
		"Lists what a registry has: a table on a terminal, fields separated by tabs elsewhere.\n"
		"QUERY is words that the name, description, documentation or tags of a module have.\n"
		"Modules must pass every filter; of one that is given several times any value will do.\n\n"
		"  --publisher NAME      only this publisher's\n"
		"  --format FORMAT       only those that come as tf-hub, tfjs, tflite or coral\n"
		"  --source SOURCE       only those that are published, mirrored or listed\n"
		"  --cached[=false]      only those that are here, or are not\n"
		"  --task TASK           only those whose documentation says so; likewise --dataset,\n"
		"                        --language, --architecture, --license, --fine-tunable[=false]\n"
		"  --op OP               only those whose graph has this op, such as MatMul\n"
		"  --input-dtype DTYPE   only those that take such a tensor, such as string\n"
		"  --output-dtype DTYPE  only those that give one\n"
		"  --tag TAG             only those that have a meta graph with this tag, such as serve\n"
		"  --tensorflow-version VERSION\n"
		"                        only those that this wrote, such as 2 or 2.11\n"
		"  --sort ORDER          relevance, name, downloads, trending, updated or size\n"
		"  --json                print JSON\n" REMOTE_HELP,
		command_list},
	{"show", "tell what a registry knows of a module or a version",
		"usage: larder show PATH [--json] [--server URL] [--token TOKEN | --token-file FILE]\n\n"
		"PATH is a module, such as acme/half-plus-two, or a version of it, such as\n"
		"acme/half-plus-two/1.\n\n"
		"  --json                print JSON\n" REMOTE_HELP,
		command_show},
	{"signatures", "list what a SavedModel takes and gives",
		"usage: larder signatures PATH [--json] [--server URL]\n"
		"                         [--token TOKEN | --token-file FILE]\n\n"
		"Lists the signatures' inputs and outputs, a row each; callables have brackets behind\n"
		"their name. Without a version in PATH the latest is meant.\n\n"
		"  --json                print JSON\n" REMOTE_HELP,
		command_signatures},
	{"diff", "tell what differs between two versions of a module",
		"usage: larder diff HANDLE FROM TO [--format FORMAT] [--check] [--json]\n"
		"                   [--server URL] [--token TOKEN | --token-file FILE]\n\n"
		"Holds two versions against each other, such as acme/half-plus-two 1 2: sizes, signatures,\n"
		"callables (with brackets behind their name), ops and files. What code that was written\n"
		"for FROM can fail over is called breaking. Only what was here already can be compared.\n\n"
		"  --format FORMAT       tf-hub, tfjs, tflite or coral (default: the first that both have)\n"
		"  --check               exit with status 1 where something is breaking\n"
		"  --json                print JSON\n" REMOTE_HELP,
		command_diff},
	{"withdraw", "take versions back for good",
		"usage: larder withdraw VERSION... [--yes] [--json]\n"
		"                       [--server URL] [--token TOKEN | --token-file FILE]\n\n"
		"Has a registry answer 410 for these versions, such as acme/half-plus-two/1, from now on.\n"
		"Their bytes are removed and their numbers never used again. Takes a token with the scope\n"
		"withdraw:GLOB. On a terminal it asks before.\n\n"
		"  --yes                 do not ask\n"
		"  --json                print JSON\n" REMOTE_HELP,
		command_withdraw},
	{"document", "send the documentation of a version",
		"usage: larder document VERSION FILE.md [--json]\n"
		"                       [--server URL] [--token TOKEN | --token-file FILE]\n\n"
		"Sends Markdown of at most 1 MiB, in place of what a version such as acme/half-plus-two/1 "
		"had.\n"
		"Where its first line is a heading of the hub's format (\"# Module acme/half-plus-two/1\"), "
		"its\n"
		"description and tags are taken from it. Takes a token with the scope publish:GLOB.\n\n"
		"  --json                print the version as JSON\n" REMOTE_HELP,
		command_document},
	{"pull", "get one module from a registry",
		"usage: larder pull PATH [-o FILE|DIR | --unpack DIR] [--force]\n"
		"                   [--server URL] [--token TOKEN | --token-file FILE]\n\n"
		"Gets a module and holds it against the digest that the registry has of it. PATH is a\n"
		"version, such as acme/half-plus-two/1 (the tf-hub archive) or "
		"'acme/x/1?lite-format=tflite';\n"
		"without a version the latest is meant. The file is named as half-plus-two_1.tar.gz. While\n"
		"it comes it is FILE.part; one that was interrupted is gone on with.\n\n"
		"  -o, --output FILE|DIR  write FILE, or into the folder DIR (one that is there, or ends\n"
		"                         with /); - is standard output, to be used only once it ends with\n"
		"                         status 0\n"
		"  --unpack DIR           unpack the archive into DIR, which is made\n"
		"  --force                replace FILE where it is another; an equal one stays\n" REMOTE_HELP,
		command_pull},
	{"prefetch", "have a registry fetch modules before they are wanted",
		"usage: larder prefetch [--from FILE] [--json] [--server URL]\n"
		"                       [--token TOKEN | --token-file FILE] PATH...\n\n"
		"Has a running daemon fetch versions from its upstreams, shows how far they are, and ends\n"
		"when all are there. A PATH is as in a URL, such as google/nnlm-en-dim50/2 (the tf-hub\n"
		"archive) or 'google/x/1?tfjs-format=compressed'. Fails if any of them cannot be had, and\n"
		"says why. When it is interrupted, the daemon fetches on.\n\n"
		"  --from FILE           read paths from FILE, one a line (-: standard input); empty lines "
		"and\n"
		"                        lines that begin with # are skipped. Of a lock file everything is\n"
		"                        fetched, and must then be there to the byte\n"
		"  --json                print JSON in the end\n" REMOTE_HELP,
		command_prefetch},
	{"lock", "name what a registry has to the byte",
		"usage: larder lock PATH|GLOB... [--server URL] [--token TOKEN | --token-file FILE]\n\n"
		"Prints the digest and the size of each artifact that a running daemon has of these\n"
		"versions, as JSON that is the same for the same bytes: \"larder lock 'acme/*' >\n"
		"models.lock\" writes the file that \"larder prefetch --from\" and \"larder verify --lock\"\n"
		"take. PATH is a version, such as google/nnlm-en-dim50/2 (all of its formats) or\n"
		"'google/x/1?tfjs-format=compressed' (that one), or a module, whose latest version is\n"
		"meant; so it is of each module whose handle a GLOB matches (* ? [, and * crosses /).\n"
		"Fails, and prints nothing, where what is named is not here.\n\n" REMOTE_HELP,
		command_lock},
	{"verify", "tell whether a registry has what a lock file names",
		"usage: larder verify --lock FILE [--json] [--server URL]\n"
		"                     [--token TOKEN | --token-file FILE]\n\n"
		"Holds what a running daemon has against a lock file, by the digests and sizes that it\n"
		"tells of, and fetches nothing. Names what is missing and what is different, and then\n"
		"exits with status 1.\n\n"
		"  --lock FILE           what \"larder lock\" printed (-: standard input)\n"
		"  --json                print JSON\n" REMOTE_HELP,
		command_verify},
	{"wants", "what was asked for offline, to carry where it can be had",
		"usage: larder wants [--clear] [--json] [--server URL] [--token TOKEN | --token-file "
		"FILE]\n\n"
		"Lists what was asked for in vain while mirror.offline was on and has not come since: a "
		"path, how\n"
		"often, and when last. \"larder wants > wants.txt\" writes the file that\n"
		"\"larder prefetch --from wants.txt\" reads on a server that has a way out.\n\n"
		"  --clear               forget the list; takes a token with the scope admin\n"
		"  --json                print JSON\n" REMOTE_HELP,
		command_wants},
	{"explain", "tell what a registry would answer, and why",
		"usage: larder explain URL [--json] [--server URL] [--token TOKEN | --token-file FILE]\n\n"
		"Tells how a registry reads a URL or path, such as\n"
		"'https://tfhub.dev/google/x/1?tf-hub-format=compressed', what it has of it, what a client "
		"would\n"
		"be answered, and which upstreams it would ask. Nothing is fetched.\n\n"
		"  --json                print JSON\n" REMOTE_HELP,
		command_explain},
	{"status", "tell whether a registry can serve, and what it has",
		"usage: larder status [--json] [--server URL] [--token TOKEN | --token-file FILE]\n\n"
		"Exits with status 1 where the registry does not answer, or is not ready.\n\n"
		"  --json                print JSON\n" REMOTE_HELP,
		command_status},
	{"fills", "list what a registry downloads from its upstreams, or cancel it",
		"usage: larder fills [--recent] [--json] [--server URL]\n"
		"                    [--token TOKEN | --token-file FILE]\n"
		"       larder fills cancel ID [--json] [--server URL] [--token TOKEN | --token-file "
		"FILE]\n\n"
		"Whoever waits for a fill that is cancelled gets an error. It takes a token with the scope\n"
		"admin.\n\n"
		"  --recent              list those that ended lately, too\n"
		"  --json                print JSON\n" REMOTE_HELP,
		command_fills},
	{"pin", "keep mirrored modules whatever the disk lacks",
		"usage: larder pin PATH... [--config FILE] [--data DIR]\n"
		"       larder pin --list [--json] [--config FILE] [--data DIR]\n\n"
		"A pinned module is never removed to make room. PATH is a version, such as\n"
		"google/nnlm-en-dim50/2, or a handle with all of its versions; * and ? match as in a shell:\n"
		"'google/*'. It also counts for what is fetched later. Works on the data folder itself,\n"
		"whether a daemon runs on it or not.\n\n"
		"  --list           print what is pinned\n"
		"  --json           print JSON\n"
		"  --config FILE    the configuration that names the data folder\n"
		"  --data DIR       the data folder (default: larder-data)\n",
		command_pin},
	{"unpin", "let go of what was pinned",
		"usage: larder unpin PATH... [--config FILE] [--data DIR]\n\n"
		"PATH is as it was pinned; \"larder pin --list\" shows it.\n\n"
		"  --config FILE    the configuration that names the data folder\n"
		"  --data DIR       the data folder (default: larder-data)\n",
		command_unpin},
	{"gc", "remove what nothing needs, and what is over the limits",
		"usage: larder gc [--dry-run] [--config FILE] [--data DIR]\n\n"
		"Removes files and unpacked archives that no module needs, and mirrored modules, least\n"
		"recently used first, until storage.max_bytes and storage.keep_free_bytes hold; what is\n"
		"unpacked goes before any module. Safe while a daemon runs, which does\n"
		"the same by itself when it needs room. What is published, pinned or being read stays.\n\n"
		"  --dry-run        only print what would be removed\n"
		"  --config FILE    the configuration with the limits and the data folder\n"
		"  --data DIR       the data folder (default: larder-data)\n",
		command_gc},
	{"export", "write modules into a bundle, to be carried to another Larder",
		"usage: larder export [PATH|GLOB]... -o DIR|FILE.tar [--want FILE] [--lock FILE]\n"
		"                     [--collection PUBLISHER/NAME] [--since BUNDLE|TIME]\n"
		"                     [--documentation-only] [--split SIZE] [--sign KEY] [--name NAME]\n"
		"                     [--partial] [--force] [--dry-run] [--json] [--config FILE] [--data "
		"DIR]\n"
		"       larder export --tfhub-cache DIR --as ORIGIN... [PATH|GLOB]... [--want FILE]\n"
		"                     [--lock FILE] [--collection PUBLISHER/NAME] [--partial] [--dry-run]\n"
		"                     [--json] [--config FILE] [--data DIR]\n\n"
		"Writes what is here into an OCI image layout, which \"larder import\" reads: with a PATH "
		"or\n"
		"a GLOB only those modules, such as acme/x (all of its versions), acme/x/1 (all of its\n"
		"formats), 'acme/x/1?lite-format=tflite' or 'acme/*'. Works on the data folder itself,\n"
		"whether a daemon runs on it or not. What was interrupted is gone on with by the same\n"
		"command. Fails where what is asked for is not here, and names it; nothing is written "
		"then.\n"
		"With --tfhub-cache, unpacks SavedModels to where tensorflow_hub looks before it asks a\n"
		"server, so that code runs unchanged with TFHUB_CACHE_DIR=DIR. What is there stays.\n\n"
		"  -o, --output DIR|FILE.tar  where to: a folder, or one file\n"
		"  --want FILE           what the other side asked for: \"larder wants\" prints it there\n"
		"  --lock FILE           exactly what \"larder lock\" printed\n"
		"  --collection P/NAME   the modules of a collection, and its page\n"
		"  --since BUNDLE|TIME   only what is new: not in BUNDLE (a folder or a file), or changed\n"
		"                        after TIME, such as 2026-11-28\n"
		"  --documentation-only  what is written of the modules, without their bytes\n"
		"  --split SIZE          pieces of this size, such as 4000M: FILE.tar.001 and so on, and\n"
		"                        FILE.tar.pieces, which names them\n"
		"  --sign KEY            sign it with this key of \"larder keygen\"\n"
		"  --name NAME           how people call it\n"
		"  --tfhub-cache DIR     a cache of tensorflow_hub instead of a bundle\n"
		"  --as ORIGIN           how the code begins its handles, such as https://tfhub.dev; may be\n"
		"                        given several times\n"
		"  --partial             write the rest where something is not here, or damaged; fails all "
		"the same\n"
		"  --force               replace a whole bundle that is there; a folder is brought up to "
		"date\n"
		"  --dry-run             only tell what would be written, and how much\n"
		"  --json                print the report as JSON\n"
		"  --config FILE         the configuration that names the data folder\n"
		"  --data DIR            the data folder (default: larder-data)\n",
		command_export},
	{"keygen", "make a pair of keys, to sign bundles with",
		"usage: larder keygen -o FILE\n\n"
		"Writes a new private key into FILE, for \"larder export --sign FILE\", and its public half\n"
		"into FILE.pub, for \"larder import --verify FILE.pub\". Ed25519, in PEM. Never overwrites\n"
		"a file.\n\n"
		"  -o, --output FILE     the private key\n",
		command_keygen},
	{"import", "take in a bundle that was carried here",
		"usage: larder import DIR|FILE [--verify KEY] [--dry-run] [--partial] [--json]\n"
		"                     [--config FILE] [--data DIR]\n"
		"       larder import DIR|FILE [--verify KEY] [--dry-run] [--partial] [--json]\n"
		"                     --server URL [--token TOKEN | --token-file FILE]\n"
		"       larder import DIR|FILE --as HANDLE/VERSION [--json] [--config FILE] [--data DIR]\n\n"
		"Takes in what \"larder export\" has made: a folder, a tar, or its pieces (name any of "
		"them,\n"
		"or FILE.pieces). Each module is inspected as one that is published, each digest held\n"
		"against its bytes; when all are there, the whole is recorded at once. Fails, and records\n"
		"nothing, where something is damaged or contradicts what is here, and names it. To do it\n"
		"again goes on where it was interrupted (for a week), or changes nothing. Works on the\n"
		"data folder itself, as the user that it belongs to, whether a daemon runs on it or not; "
		"one\n"
		"that is new must be named. With --server it goes to a running daemon, by the same rules.\n\n"
		"  --as HANDLE/VERSION\n"
		"                   take a model that other tools have put into an image layout (ModelPack:\n"
		"                   application/vnd.cncf.model.*, application/vnd.cnai.*) as this version,\n"
		"                   and tell which of its layers are left\n"
		"  --verify KEY     take it only if the owner of this public key has signed it\n"
		"  --dry-run        only tell what would come of it\n"
		"  --partial        record what can be, though other things cannot; fails all the same\n"
		"  --json           print the report as JSON\n"
		"  --config FILE    the configuration with the limits and the data folder\n"
		"  --data DIR       the data folder (default: larder-data)\n"
		"  --server URL     a daemon instead of a folder (or $LARDER_SERVER, where no folder is "
		"named and\n"
		"                   none is here)\n"
		"  --token TOKEN    a token of scope admin (or $LARDER_TOKEN, or --token-file FILE)\n",
		command_import},
	{"import-docs", "list modules that a documentation tree tells of",
		"usage: larder import-docs DIR|TAR [--dry-run] [--json] [--config FILE] [--data DIR]\n\n"
		"Reads a folder or tar.gz of Markdown as tfhub.dev has it. Publishers and collections get "
		"their\n"
		"pages; versions that are not here are listed with their tags and documentation, and "
		"fetched\n"
		"at first use. Deployments (Lite, Tfjs, Coral) are listed under the name that clients ask "
		"for:\n"
		"publisher/lite-model/name. What a publisher has documented stays. Safe while a daemon "
		"runs;\n"
		"to do it again changes nothing. Fails, with each file and line, where documents have "
		"faults;\n"
		"the others are taken all the same.\n\n"
		"  --dry-run        only report what would change\n"
		"  --json           print the report as JSON\n"
		"  --config FILE    the configuration that names the data folder\n"
		"  --data DIR       the data folder (default: larder-data)\n",
		command_import_docs},
};

int main(int argc, char **argv)
{
	struct err err;

	if (!file_open_standard(&err))
		return command_fail(&err);
	return command_run(commands, sizeof commands / sizeof *commands, argc, argv);
}
