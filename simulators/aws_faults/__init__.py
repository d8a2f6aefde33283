"""A man in the middle between a target and its AWS endpoint: passes every call on, and fails those that it is told to.

Does not imitate AWS: whoever stands behind it does. Does not check signatures. Faults that rewrite a call or an answer
(partial failures, copies, delays) know the JSON protocol that SDKs of today speak; calls in the old query protocol are
passed on by them, and only refused or cut by the others.
"""
