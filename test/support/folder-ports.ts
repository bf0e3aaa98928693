/** The ports that an open folder has for the rules, as `bin/stores.ts` wires them. */
import type { Folder } from '../../lib/local/folder.ts'

export const folderPorts = ({
  blobs,
  ledger,
  uploads,
  staging,
  queue,
}: Pick<Folder, 'blobs' | 'ledger' | 'uploads' | 'staging' | 'queue'>) => ({
  ...{ blobs, bytes: blobs, ledger, uploads, staging, queue },
  health: { ledger, 'uploads table': uploads, 'blob store': blobs, 'staging area': staging },
})
