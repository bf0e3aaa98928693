/**
 * How a Lambda handler is bundled into one file: the deployed bundle, its tests and the benchmark share these options.
 * CommonJS starts faster than ESM on Lambda. The bundle includes the AWS SDK, so that Lambda runs the version that was tested.
 * This module imports no CDK, so that the benchmark does not load it.
 */
import { fileURLToPath } from 'node:url'
import type { LambdaSide } from '../deployment/environment.ts'

/** The extension of our modules: `.ts` in a checkout, `.js` in the built package. */
const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'

/**
 * Options of esbuild's `build`; the caller adds `entryPoints`.
 *
 * @see https://esbuild.github.io/api/#main-fields — `module` first lets esbuild drop unused exports.
 */
export const BUNDLE = {
  bundle: true,
  platform: 'node',
  format: 'cjs',
  /** The language level of the functions' runtime, nodejs24.x. */
  target: 'node24',
  minify: true,
  mainFields: ['module', 'main'] as string[],
  /**
   * Lambda never loads these: the SDK finds credentials in the environment first, and detects the browser's name only in a
   * browser.
   */
  external: [
    'bowser',
    '@aws-sdk/credential-provider-http',
    '@aws-sdk/credential-provider-ini',
    '@aws-sdk/credential-provider-process',
    '@aws-sdk/credential-provider-sso',
    '@aws-sdk/credential-provider-web-identity',
    '@smithy/credential-provider-imds',
  ] as string[],
} as const

/** The absolute path of a handler's source file, such as `lambda/read`. */
export const handlerEntry = (name: LambdaSide | 'probe'): string =>
  fileURLToPath(new URL(`../../lambda/${name}.${extension}`, import.meta.url))
