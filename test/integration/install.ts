/**
 * Installs what the emulators and the engines need into the cache, so that their runs begin at once. If an installation fails here, the
 * run that needs it tries again and counts the failure.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installLocalStack } from './emulator-localstack.ts'
import { installMiniStack } from './emulator-ministack.ts'
import { stopOnSignals } from './emulators.ts'
import { installDynamoDbLocal } from './install-dynamodb-local.ts'
import { installVersityGateway } from './install-versitygw.ts'
import { stopEverything } from './processes.ts'

const work = await mkdtemp(join(tmpdir(), 'bucket-install-'))
const removeWork = () => rm(work, { recursive: true, force: true })
stopOnSignals(removeWork)
for (const install of [installLocalStack, installMiniStack, installDynamoDbLocal, installVersityGateway])
  await install(work).catch((error: Error) => console.log(`not installed: ${error.message}`))
await stopEverything()
await removeWork()
