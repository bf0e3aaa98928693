/** Puts the failed expectation into the report of a property, where fast-check by itself names only the values. */
import fc from 'fast-check'

fc.configureGlobal({ includeErrorInReport: true })
