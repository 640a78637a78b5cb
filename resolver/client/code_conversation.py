"""How the questions about one code are put to a server, one after the other.

No I/O: like every conversation (`resolver.client.conversation`).
"""

from registry.schemes.lookup import Wanted
from resolver.client import request
from resolver.client.code_memory import Reply
from resolver.client.conversation import Conversation, Conversations
from resolver.client.products import ProductAnswer, Steps
from resolver.errors import NotFoundError, ResolverError, ValuesNotFoundError


def talk_about(
    conversations: Conversations, steps: Steps, *, fresh: bool
) -> Conversation[ProductAnswer]:
    """Resolve a code: ask its questions one by one."""
    try:
        wanted = next(steps)
        while True:
            try:
                reply = yield from reply_to(conversations, wanted, fresh=fresh)
            except ResolverError as error:
                wanted = steps.throw(error)
            else:
                wanted = steps.send(reply)
    except StopIteration as end:
        product: ProductAnswer = end.value
        return product


def reply_to(
    conversations: Conversations, wanted: Wanted, *, fresh: bool
) -> Conversation[Reply]:
    """Ask one question about a code; that there is nothing is a reply, too."""
    try:
        question = request.question(wanted.name, wanted.types, fresh=fresh)
        answer = yield from conversations.resolve(question)
    except (NotFoundError, ValuesNotFoundError) as error:
        return Reply(error.code, message=error.message)
    return Reply(answer.code, answer.values, answer.authoritative)
