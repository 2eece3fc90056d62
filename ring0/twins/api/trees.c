// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trees of 64 even keys, 0 to 126; an operation inserts an odd one, finds it,
 * erases it, and does not find it any more.
 */
#include <linux/maple_tree.h>
#include <linux/rbtree.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "api.h"

/* The key of an iteration. */
static inline u64 odd_key(u64 index)
{
	return (index & 63) * 2 + 1;
}

struct node {
	struct rb_node links;
	u64 key;
	u64 value;
};

static int rb_insert(struct rb_root *tree, u64 key, u64 value)
{
	struct rb_node **link = &tree->rb_node;
	struct rb_node *parent = NULL;
	struct node *node = kmalloc(sizeof(*node), GFP_KERNEL);

	if (!node)
		return -ENOMEM;
	node->key = key;
	node->value = value;
	while (*link) {
		struct node *other = rb_entry(*link, struct node, links);

		parent = *link;
		if (key < other->key) {
			link = &parent->rb_left;
		} else if (key > other->key) {
			link = &parent->rb_right;
		} else {
			kfree(node);
			return -EEXIST;
		}
	}
	rb_link_node(&node->links, parent, link);
	rb_insert_color(&node->links, tree);
	return 0;
}

static struct node *find(struct rb_root *tree, u64 key)
{
	struct rb_node *link = tree->rb_node;

	while (link) {
		struct node *node = rb_entry(link, struct node, links);

		if (key < node->key)
			link = link->rb_left;
		else if (key > node->key)
			link = link->rb_right;
		else
			return node;
	}
	return NULL;
}

static void rb_empty(struct rb_root *tree)
{
	struct node *node;
	struct node *next;

	rbtree_postorder_for_each_entry_safe(node, next, tree, links)
		kfree(node);
}

static int rb_fill(struct rb_root *tree)
{
	for (u64 i = 0; i < 64; i++) {
		int result = rb_insert(tree, i * 2, i);

		if (result) {
			rb_empty(tree);
			return result;
		}
	}
	return 0;
}

RF_API(rbtree)
{
	struct rb_root tree = RB_ROOT;
	u64 effect = 0;
	int result = rb_fill(&tree);

	if (result)
		return result;
	RF_MEASURE(run, index,
		u64 key = odd_key(index);
		struct node *node;
		bool held;

		result = rb_insert(&tree, key, index);
		if (result)
			break;
		node = find(&tree, key);
		held = node && node->value == index;
		node = find(&tree, key);
		if (node) {
			rb_erase(&node->links, &tree);
			kfree(node);
		}
		effect += held && !find(&tree, key);
	);
	run->effect = effect;
	rb_empty(&tree);
	return result;
}

RF_API(rbtree_find)
{
	struct rb_root tree = RB_ROOT;
	u64 effect = 0;
	int result = rb_fill(&tree);

	if (result)
		return result;
	RF_MEASURE(run, index,
		struct node *node = find(rf_opaque(&tree), (index & 63) * 2);

		effect += node && node->value == (index & 63);
	);
	run->effect = effect;
	rb_empty(&tree);
	return 0;
}

RF_API(xarray)
{
	struct xarray array;
	u64 *value = kmalloc(sizeof(*value), GFP_KERNEL);
	u64 resident;
	u64 effect = 0;
	int result = 0;

	if (!value)
		return -ENOMEM;
	xa_init(&array);
	for (u64 i = 0; !result && i < 64; i++)
		result = xa_err(xa_store(&array, i * 2, &resident, GFP_KERNEL));
	RF_MEASURE(run, index,
		u64 key = odd_key(index);
		u64 *found;
		u64 *erased;
		bool held;

		*value = index;
		xa_lock(&array);
		result = xa_err(__xa_store(&array, key, value, GFP_KERNEL));
		if (result) {
			xa_unlock(&array);
			break;
		}
		found = xa_load(&array, key);
		held = found && *found == index;
		erased = __xa_erase(&array, key);
		effect += held && erased && !xa_load(&array, key);
		xa_unlock(&array);
	);
	run->effect = effect;
	xa_destroy(&array);
	kfree(value);
	return result;
}

RF_API(maple_tree)
{
	struct maple_tree tree;
	u64 *value = kmalloc(sizeof(*value), GFP_KERNEL);
	u64 resident;
	u64 effect = 0;
	int result = 0;

	if (!value)
		return -ENOMEM;
	mt_init(&tree);
	for (u64 i = 0; !result && i < 64; i++)
		result = mtree_insert(&tree, i * 2, &resident, GFP_KERNEL);
	RF_MEASURE(run, index,
		u64 key = odd_key(index);
		u64 *found;
		u64 *erased;
		bool held;

		*value = index;
		result = mtree_insert(&tree, key, value, GFP_KERNEL);
		if (result)
			break;
		spin_lock(&tree.ma_lock);
		found = mtree_load(&tree, key);
		held = found && *found == index;
		spin_unlock(&tree.ma_lock);
		erased = mtree_erase(&tree, key);
		spin_lock(&tree.ma_lock);
		effect += held && erased && !mtree_load(&tree, key);
		spin_unlock(&tree.ma_lock);
	);
	run->effect = effect;
	mtree_destroy(&tree);
	kfree(value);
	return result;
}

struct marked_page {
	void *bytes;
	u8 mark;
};

static struct marked_page *page_alloc(gfp_t flags)
{
	struct marked_page *page = kzalloc(sizeof(*page), flags);

	if (!page)
		return NULL;
	page->bytes = (void *)get_zeroed_page(flags);
	if (!page->bytes) {
		kfree(page);
		return NULL;
	}
	return page;
}

static void page_free(struct marked_page *page)
{
	free_page((unsigned long)page->bytes);
	kfree(page);
}

#define PAGE_FLAGS (GFP_NOIO | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

static struct marked_page *page_insert(struct xarray *tree, u64 key)
{
	struct marked_page *page = page_alloc(PAGE_FLAGS);

	if (page && xa_err(xa_store(tree, key, page, PAGE_FLAGS))) {
		page_free(page);
		return NULL;
	}
	return page;
}

static void pages_empty(struct xarray *tree)
{
	struct marked_page *page;
	unsigned long at;

	xa_for_each(tree, at, page)
		page_free(page);
	xa_destroy(tree);
}

static int pages_fill(struct xarray *tree)
{
	xa_init(tree);
	for (u64 i = 0; i < 64; i++) {
		struct marked_page *page = page_insert(tree, i * 2);

		if (!page) {
			pages_empty(tree);
			return -ENOMEM;
		}
		page->mark = i;
	}
	return 0;
}

/* Pages by index, each with a mark: what drivers/nullblk keeps its data in. */
RF_API(page_tree)
{
	struct xarray tree;
	u64 effect = 0;
	int result = pages_fill(&tree);

	if (result)
		return result;
	RF_MEASURE(run, index,
		u64 key = odd_key(index);
		struct marked_page *page = xa_load(&tree, key);
		bool held;

		if (!page)
			page = page_insert(&tree, key);
		if (!page) {
			result = -ENOMEM;
			break;
		}
		page->mark = index;
		page = xa_load(&tree, key);
		held = page && page->mark == (u8)index;
		page = xa_erase(&tree, key);
		if (page)
			page_free(page);
		effect += held && !xa_load(&tree, key);
	);
	run->effect = effect;
	pages_empty(&tree);
	return result;
}

RF_API(page_tree_find)
{
	struct xarray tree;
	u64 effect = 0;
	int result = pages_fill(&tree);

	if (result)
		return result;
	RF_MEASURE(run, index,
		struct marked_page *page = xa_load(&tree, (index & 63) * 2);

		effect += page && page->mark == (index & 63);
	);
	run->effect = effect;
	pages_empty(&tree);
	return 0;
}
