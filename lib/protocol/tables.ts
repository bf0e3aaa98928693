/** The keys of the DynamoDB tables, once: the CDK constructs create them, `lib/aws` reads and writes them. All are strings. */

/** One row for each artifact version: `pk` is `bucket_id/artifact_id`, `sk` the version. */
export const LEDGER_KEY = { partition: 'pk', sort: 'sk' } as const
