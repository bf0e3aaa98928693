/** DynamoDB Local, which stands in for the tables in `npm run test:engines`. */
import { join } from 'node:path'
import { PROJECT } from './emulator.ts'
import { installed, keyOf } from './install-cache.ts'
import { need } from './install-versitygw.ts'
import { run } from './processes.ts'

const LOCALSTACK = join(PROJECT, 'test', 'localstack')
const INSTALL_MS = 600_000

/**
 * @param work a folder for the log of the installation.
 * @returns the folder of its classes.
 */
export async function installDynamoDbLocal(work: string): Promise<string> {
  const sources = [join(LOCALSTACK, 'pom.xml'), join(LOCALSTACK, 'LoopbackDynamoDB.java')]
  return installed(`dynamodb-local-${await keyOf(sources)}`, async (folder) => {
    await need('javac', '-version')
    await need('mvn', '-version')
    console.log('installing DynamoDB Local (about a minute, once)')
    const options = { output: { file: join(work, 'dynamodb.log') } }
    const copy = ['-q', '-B', '-f', join(LOCALSTACK, 'pom.xml'), 'dependency:copy-dependencies']
    await run('mvn', [...copy, '-DincludeScope=runtime', `-DoutputDirectory=${folder}`], INSTALL_MS, options)
    const source = join(LOCALSTACK, 'LoopbackDynamoDB.java')
    await run('javac', ['-cp', join(folder, '*'), '-d', folder, source], INSTALL_MS, options)
  })
}
