/**
 * A command's view of the outside: streams, environment, the stop signal, and the server that `serve` starts.
 * Only `bin/` knows the real ones.
 */
import type { Readable, Writable } from 'node:stream'
import type { BucketClient } from '../client/node.ts'
import type { Digest } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import type { ArtifactRef } from '../domain/identifiers.ts'
import type { ProgressStream } from './progress-line.ts'
import type { AwsStores, ServeSettings } from './serve-settings.ts'

export interface RunningServer {
  /** The root of its API. */
  readonly url: string
  /** Finishes running requests. */
  stop(): Promise<void>
}

/** One requirement of a server, and whether its stores meet it. */
export interface ProbeResult {
  /** Such as `S3 refuses a PUT with a wrong SHA-256`. */
  readonly need: string
  /** Why it is not met; null if it is. */
  readonly problem: string | null
}

/** An entry whose bytes are missing or wrong in a data folder. */
export interface FolderDamage {
  readonly entry: Entry
  readonly fault: 'missing' | 'wrong_size' | 'wrong_digest' | 'unreadable'
  /** Relative to the data folder. */
  readonly path: string
  /** The size that was found instead; bytes. */
  readonly foundSize?: number
  readonly foundDigest?: Digest
  /** Where the file is now, relative to the data folder, if it was moved aside. */
  readonly movedTo?: string
}

/** A blob that no entry names. */
export interface UnreferencedBlob {
  /** Relative to the data folder; for the end of the ledger, its file, `#` and the offset. */
  readonly path: string
  /** Bytes. */
  readonly size: number
}

export interface FolderCheck {
  /** Reads every byte. */
  readonly verify: boolean
  /** Moves files with wrong bytes aside. */
  readonly quarantine: boolean
  readonly signal: AbortSignal
  readonly onDamage: (damage: FolderDamage) => void
  /** Receives a description of each unreadable entry and each altered file of the ledger. */
  readonly onLedgerDamage: (message: string) => void
  readonly onUnreferenced: (blob: UnreferencedBlob) => void
  readonly onProgress: (bytes: number, total: number) => void
}

/** @returns what the copy has now, and how much of it was copied. */
export type CopyFolder = (
  from: string,
  to: string,
  options: {
    readonly signal: AbortSignal
    /** Receives each entry whose bytes the folder has lost; an earlier copy may have saved them. */
    readonly onLost: (lost: FolderDamage & { readonly isInCopy: boolean }) => void
  },
) => Promise<{ readonly entries: number; readonly copiedBlobs: number; readonly copiedBytes: number }>

/** Tools for a data folder, all of them without a server. */
export interface DataFolderTools {
  readonly backupFolder: CopyFolder
  /** Copies in the other direction: `from` is a backup. */
  readonly restoreFolder: CopyFolder
  /** Passes all readable entries in batches, in the order in which they were stored; then fails if there are others. */
  listFolder(dataDir: string, use: (entries: readonly Entry[]) => Promise<void>): Promise<void>
  /** @returns the entry that was erased; undefined when there was none. */
  eraseVersion(dataDir: string, ref: ArtifactRef): Promise<Entry | undefined>
  /** Gives up the records of the ledger that cannot be read, or that it has lost. @returns a description of each. */
  discardDamage(dataDir: string): Promise<readonly string[]>
}

/** The permissions and the address of the MCP server of `bucket mcp`. */
export interface McpSettings {
  /** Folders that tools may read and write; undefined for the default. */
  readonly roots: readonly string[] | undefined
  readonly readOnly: boolean
  /** Undefined for stdin and stdout. */
  readonly http: { readonly host: string; readonly port: number } | undefined
  /** Called once a server over HTTP listens. */
  readonly onReady: (url: string) => Promise<void>
  readonly signal: AbortSignal
}

export interface CliContext {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly stdin: () => Readable
  readonly stdout: Writable
  readonly stderr: ProgressStream
  /** Aborted with an `Interrupted` when the user stops the command. */
  readonly signal: AbortSignal
  readonly startServer: (settings: ServeSettings) => Promise<RunningServer>
  /** Checks what a server needs of S3, DynamoDB and SQS. */
  readonly probeStores: (settings: AwsStores) => Promise<readonly ProbeResult[]>
  /** Compares a data folder with its ledger. @returns what the ledger holds. */
  readonly checkFolder: (dataDir: string, check: FolderCheck) => Promise<{ entries: number; size: number }>
  readonly dataFolder: () => Promise<DataFolderTools>
  /** Serves tools to an assistant until its program closes stdin, or the signal aborts. */
  readonly runMcp: (bucket: BucketClient, settings: McpSettings) => Promise<void>
  /** @param path of a document of the package, such as `docs/for-assistants.md`. */
  readonly readDocument: (path: string) => Promise<string>
  readonly version: string
}
