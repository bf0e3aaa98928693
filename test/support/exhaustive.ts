/** Whether this is a run of `npm run test:exhaustive`, in which some tests try every case instead of some, and move more bytes than fit. */
export const IS_EXHAUSTIVE: boolean = process.env.BUCKET_EXHAUSTIVE !== undefined
